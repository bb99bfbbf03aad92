import FoundationEssentials
import Glibc

/// A session with a server over its Unix socket, with as much of the protocol as a question takes.
///
/// It tells what no client program tells apart: a server that refuses (and so lives), one that
/// takes connections and does not get to the login, and one that answers nothing.
final class PostgresSocket {
    enum Failure: Error, Equatable {
        /// Nobody listens there.
        case unreachable(String)
        /// The server's own words. It lives.
        case refused(code: String, message: String)
        /// It took the connection, and did not finish the login or the question in time.
        case late(String)
        /// The login wants a password, which a status program has not.
        case passwordWanted
    }

    private let descriptor: CInt
    private let deadline: ContinuousClock.Instant
    private static let longestMessage = 1 << 20

    /// - Parameter folder: the socket's.
    init(
        folder: String, port: Int, deadline: ContinuousClock.Instant
    ) throws(Failure) {
        self.deadline = deadline
        let path = "\(folder)/.s.PGSQL.\(port)"
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw .unreachable("the socket's path \(path) is too long")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let opened = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard opened >= 0 else { throw .unreachable(String(cString: strerror(errno))) }
        descriptor = opened
        Self.limit(opened, until: deadline)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(opened, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // A full queue: somebody listens, and takes nobody on.
        guard connected == 0 else {
            throw errno == EAGAIN
                ? .late("the queue of connections is full")
                : .unreachable("\(path): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// Whether the server answers the first question of its protocol: then its postmaster lives and
    /// starts processes, however long a login takes.
    func answersAtAll() -> Bool {
        // GSSENCRequest. What is answered does not matter.
        guard (try? send([0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x30])) != nil else { return false }
        return (try? receive(1)) != nil
    }

    func logIn(user: String, database: String) throws(Failure) {
        var body: [UInt8] = [0, 3, 0, 0]
        for text in ["user", user, "database", database, "application_name", "continuity"] {
            body += Array(text.utf8) + [0]
        }
        body.append(0)
        try send(Self.big(UInt32(body.count + 4)) + body)
        while true {
            let (kind, body) = try message()
            switch kind {
            case UInt8(ascii: "R"):
                guard body.prefix(4) == [0, 0, 0, 0] else { throw .passwordWanted }
            case UInt8(ascii: "Z"): return
            default: continue
            }
        }
    }

    /// - Returns: the rows of all statements, as text; `nil` is a null.
    func query(_ statement: String) throws(Failure) -> [[String?]] {
        let body = Array(statement.utf8) + [0]
        try send([UInt8(ascii: "Q")] + Self.big(UInt32(body.count + 4)) + body)
        var rows: [[String?]] = []
        while true {
            let (kind, body) = try message()
            if kind == UInt8(ascii: "D") { rows.append(Self.row(body)) }
            if kind == UInt8(ascii: "Z") { return rows }
        }
    }

    // MARK: Messages

    private func message() throws(Failure) -> (UInt8, ArraySlice<UInt8>) {
        let head = try receive(5)
        let length = head[1...].reduce(0) { $0 << 8 | Int($1) }
        if head[0] == UInt8(ascii: "E"), length > Self.longestMessage || length < 4 {
            // The postmaster that cannot start a process says so in plain text.
            let rest = (try? receiveAvailable()) ?? []
            throw .refused(
                code: "53000",
                message: String(
                    decoding: (head[1...] + rest).filter { $0 >= 0x20 }, as: UTF8.self))
        }
        guard (4...Self.longestMessage).contains(length) else {
            throw .unreachable("it speaks another protocol")
        }
        let body = try receive(length - 4)[...]
        guard head[0] == UInt8(ascii: "E") else { return (head[0], body) }
        var fields: [UInt8: String] = [:]
        for field in body.split(separator: 0) {
            guard let name = field.first else { continue }
            fields[name] = String(decoding: field.dropFirst(), as: UTF8.self)
        }
        throw .refused(
            code: fields[UInt8(ascii: "C")] ?? "", message: fields[UInt8(ascii: "M")] ?? "")
    }

    private static func row(_ body: ArraySlice<UInt8>) -> [String?] {
        var rest = body.dropFirst(2)
        var row: [String?] = []
        while rest.count >= 4 {
            let length = rest.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            rest = rest.dropFirst(4)
            guard length != .max else {
                row.append(nil)
                continue
            }
            row.append(String(decoding: rest.prefix(Int(length)), as: UTF8.self))
            rest = rest.dropFirst(Int(length))
        }
        return row
    }

    private static func big(_ number: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    // MARK: Bytes

    private static func limit(_ descriptor: CInt, until deadline: ContinuousClock.Instant) {
        let left = max(.milliseconds(1), deadline - .now).components
        var time = timeval(
            tv_sec: Int(left.seconds), tv_usec: Int(left.attoseconds / 1_000_000_000_000))
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(
                descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    private func send(_ bytes: [UInt8]) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            Self.limit(descriptor, until: deadline)
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Self.failure() }
            sent += count
        }
    }

    private func receive(_ count: Int) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard ContinuousClock.now < deadline else { throw .late("it did not answer in time") }
            Self.limit(descriptor, until: deadline)
            var buffer = [UInt8](repeating: 0, count: min(count - bytes.count, 65536))
            let got = recv(descriptor, &buffer, buffer.count, 0)
            guard got > 0 else { throw got == 0 ? .unreachable("it hung up") : Self.failure() }
            bytes += buffer.prefix(got)
        }
        return bytes
    }

    private func receiveAvailable() throws(Failure) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 1024)
        let got = recv(descriptor, &buffer, buffer.count, 0)
        return Array(buffer.prefix(max(0, got)))
    }

    private static func failure() -> Failure {
        errno == EAGAIN || errno == EWOULDBLOCK
            ? .late("it did not answer in time") : .unreachable(String(cString: strerror(errno)))
    }
}
