import Foundation
import Glibc
import Synchronization

/// A TCP port on loopback that is taken and refuses every connection.
final class RefusingPort: Sendable {
    private let descriptor: Int32
    let port: Int

    init() throws { (descriptor, port) = try bindLoopback() }

    deinit { close(descriptor) }
}

/// Accepts one connection, reads a little, writes the answer as it stands and closes.
func answerOnce(_ answer: String) throws -> Int {
    let (descriptor, port) = try bindLoopback()
    guard listen(descriptor, 1) == 0 else { throw POSIXError(.EINVAL) }
    let thread = Thread {
        let connection = accept(descriptor, nil, nil)
        close(descriptor)
        var buffer = [UInt8](repeating: 0, count: 4096)
        _ = read(connection, &buffer, buffer.count)
        let bytes = Array(answer.utf8)
        _ = write(connection, bytes, bytes.count)
        close(connection)
    }
    thread.start()
    return port
}

/// Accepts connections one after the other, and gives each the answer as it stands; then it holds
/// them open, for as long as the object lives, and says nothing more.
final class HoldingServer: Sendable {
    private let descriptor: Int32
    private let held = Mutex<[Int32]>([])
    let port: Int

    init(_ answer: String) throws {
        (descriptor, port) = try bindLoopback()
        guard listen(descriptor, 16) == 0 else { throw POSIXError(.EINVAL) }
        let listening = descriptor
        let thread = Thread { [weak self] in
            while true {
                let connection = accept(listening, nil, nil)
                guard connection >= 0, let self else { return }
                self.held.withLock { $0.append(connection) }
                var buffer = [UInt8](repeating: 0, count: 65536)
                _ = read(connection, &buffer, buffer.count)
                let bytes = Array(answer.utf8)
                _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            }
        }
        thread.start()
    }

    deinit {
        for connection in held.withLock(\.self) { close(connection) }
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}

private func bindLoopback() throws -> (descriptor: Int32, port: Int) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let failed = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            bind(descriptor, generic, length) != 0 || getsockname(descriptor, generic, &length) != 0
        }
    }
    guard !failed else { throw POSIXError(.EADDRINUSE) }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
}
