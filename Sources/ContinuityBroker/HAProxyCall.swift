import CLinux
import ContinuityConfig
import ContinuityCore
import ContinuityHooks
import Dispatch
import Glibc

/// One command to HAProxy's runtime API: a line to its socket, TCP or UNIX, and the answer until
/// it closes.
struct HAProxyCall: Sendable {
    static let outputBytesMax = 256 << 10
    /// From the first attempt to connect to the end of the answer. An answer that trickles must not
    /// outlive the hook that asked.
    static let timeoutNs: Int64 = 3_000_000_000

    private let address: String
    private let command: String

    init(_ call: HookHostCall) {
        address = call.permission.haproxy?.address ?? ""
        command = call.arguments["command"]?.string ?? ""
    }

    func perform() async throws(CallFailure) -> JSONValue {
        // Sockets are waited for here, on a thread that may block; one deadline bounds them all.
        let result: Result<JSONValue, CallFailure> = await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(returning: Result { () throws(CallFailure) in try exchange() })
            }
        }
        return try result.get()
    }

    private func exchange() throws(CallFailure) -> JSONValue {
        let deadlineNs = continuity_monotonic_ns() + Self.timeoutNs
        let descriptor = try connected(deadlineNs)
        defer { close(descriptor) }
        var line = Array((command + "\n").utf8)[...]
        while !line.isEmpty {
            guard Self.wait(descriptor, for: POLLOUT, until: deadlineNs) else { throw inDoubt }
            let count = line.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count >= 0 || errno == EAGAIN || errno == EINTR else { throw inDoubt }
            line = line.dropFirst(max(0, count))
        }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while output.count <= Self.outputBytesMax {
            guard Self.wait(descriptor, for: POLLIN, until: deadlineNs) else { throw inDoubt }
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count >= 0 || errno == EAGAIN || errno == EINTR else { throw inDoubt }
            if count == 0 { return .string(String(decoding: output, as: UTF8.self)) }
            if count > 0 { output.append(contentsOf: chunk[..<count]) }
        }
        throw CallFailure("HAProxy's answer is too long", code: "in_doubt")
    }

    /// `false`: the deadline has passed. An error shows at the next use of the socket.
    private static func wait(_ descriptor: Int32, for event: Int32, until deadlineNs: Int64) -> Bool
    {
        var watched = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        while true {
            let restNs = deadlineNs - continuity_monotonic_ns()
            guard restNs > 0 else { return false }
            if poll(&watched, 1, Int32(restNs / 1_000_000 + 1)) > 0 { return true }
        }
    }

    private var inDoubt: CallFailure {
        CallFailure(
            "HAProxy at \(address) gave no whole answer in time: it may have been carried out",
            code: "in_doubt")
    }

    // MARK: Connecting

    private func connected(_ deadlineNs: Int64) throws(CallFailure) -> Int32 {
        let descriptor =
            address.hasPrefix("/") ? connectedToPath(deadlineNs) : connectedToHost(deadlineNs)
        guard let descriptor else {
            throw CallFailure(
                "no connection to HAProxy's runtime API at \(address)", code: "unreachable")
        }
        return descriptor
    }

    private func connected(
        _ family: Int32, _ name: UnsafePointer<sockaddr>, _ length: socklen_t, _ deadlineNs: Int64
    ) -> Int32? {
        let type =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { return nil }
        if connect(descriptor, name, length) == 0 { return descriptor }
        var problem: Int32 = errno
        if problem == EINPROGRESS, Self.wait(descriptor, for: POLLOUT, until: deadlineNs) {
            var size = socklen_t(MemoryLayout<Int32>.size)
            if getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &size) == 0, problem == 0 {
                return descriptor
            }
        }
        close(descriptor)
        return nil
    }

    private func connectedToPath(_ deadlineNs: Int64) -> Int32? {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(address.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: name.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connected(AF_UNIX, $0, socklen_t(MemoryLayout<sockaddr_un>.size), deadlineNs)
            }
        }
    }

    private func connectedToHost(_ deadlineNs: Int64) -> Int32? {
        guard let endpoint = Endpoint(address) else { return nil }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(endpoint.host, "\(endpoint.port)", &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        var entry = list
        while let current = entry {
            if let name = current.pointee.ai_addr,
                let descriptor = connected(
                    current.pointee.ai_family, name, current.pointee.ai_addrlen, deadlineNs)
            {
                return descriptor
            }
            entry = current.pointee.ai_next
        }
        return nil
    }
}
