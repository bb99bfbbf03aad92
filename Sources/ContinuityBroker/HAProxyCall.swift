import ContinuityConfig
import ContinuityCore
import ContinuityHooks
import Dispatch
import Glibc

/// One command to HAProxy's runtime API: a line to its socket, TCP or UNIX, and the answer until
/// it closes.
struct HAProxyCall: Sendable {
    static let outputBytesMax = 256 << 10
    /// For connecting, and for each read and write.
    static let timeoutS = 2

    private let address: String
    private let command: String

    init(_ call: HookHostCall) {
        address = call.permission.haproxy?.address ?? ""
        command = call.arguments["command"]?.string ?? ""
    }

    func perform() async throws(CallFailure) -> JSONValue {
        // Sockets block here, on a thread that may; each step is bounded.
        let result: Result<JSONValue, CallFailure> = await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(returning: Result { () throws(CallFailure) in try exchange() })
            }
        }
        return try result.get()
    }

    private func exchange() throws(CallFailure) -> JSONValue {
        let descriptor = try connected()
        defer { close(descriptor) }
        let line = Array((command + "\n").utf8)
        guard send(descriptor, line, line.count, Int32(MSG_NOSIGNAL)) == line.count else {
            throw inDoubt
        }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while output.count <= Self.outputBytesMax {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count >= 0 else { throw inDoubt }
            if count == 0 {
                return .string(String(decoding: output, as: UTF8.self))
            }
            output.append(contentsOf: chunk[..<count])
        }
        throw CallFailure("HAProxy's answer is too long", code: "in_doubt")
    }

    private var inDoubt: CallFailure {
        CallFailure(
            "HAProxy at \(address) gave no whole answer: it may have been carried out",
            code: "in_doubt")
    }

    private func connected() throws(CallFailure) -> Int32 {
        let descriptor = address.hasPrefix("/") ? connectedToPath() : connectedToHost()
        guard let descriptor else {
            throw CallFailure(
                "no connection to HAProxy's runtime API at \(address)", code: "unreachable")
        }
        return descriptor
    }

    private func opened(_ family: Int32) -> Int32? {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { return nil }
        var limit = timeval(tv_sec: Self.timeoutS, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        return descriptor
    }

    private func connectedToPath() -> Int32? {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(address.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: name.sun_path),
            let descriptor = opened(AF_UNIX)
        else { return nil }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        let result = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    private func connectedToHost() -> Int32? {
        guard let colon = address.lastIndex(of: ":") else { return nil }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let port = String(address[address.index(after: colon)...])
        guard getaddrinfo(String(address[..<colon]), port, &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        var entry = list
        while let current = entry {
            if let descriptor = opened(current.pointee.ai_family) {
                if connect(descriptor, current.pointee.ai_addr, current.pointee.ai_addrlen) == 0 {
                    return descriptor
                }
                close(descriptor)
            }
            entry = current.pointee.ai_next
        }
        return nil
    }
}
