import Foundation
import Glibc
import Synchronization

/// Somebody else who listens where a server wants to.
final class PortHolder {
    private let descriptor: CInt

    init(port: Int) throws {
        descriptor = try listening(on: port)
    }

    func close() { Glibc.close(descriptor) }
}

private func listening(on port: Int) throws -> CInt {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var one: CInt = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size))
    var address = loopback(port)
    let bound = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    guard bound == 0, listen(descriptor, 16) == 0 else {
        throw WaitedInVain(what: "port \(port) is free: \(String(cString: strerror(errno)))")
    }
    return descriptor
}

private func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return address
}

/// A slow link to a server: takes connections, and passes on what the server sends at a bounded
/// rate.
final class ThrottledProxy: Sendable {
    let port: Int
    private let target: Int
    private let bytesPerSecond: Int
    private let listener: CInt
    private let isStalled = Mutex(false)

    init(to target: Int, bytesPerSecond: Int) throws {
        self.target = target
        self.bytesPerSecond = bytesPerSecond
        port = try freePort()
        listener = try listening(on: port)
        Thread.detachNewThread { [self] in accepting() }
    }

    func close() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// From now on nothing is passed on.
    func stall() { isStalled.withLock { $0 = true } }

    private func accepting() {
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { break }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = loopback(target)
            let connected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard connected == 0 else {
                Glibc.close(client)
                Glibc.close(server)
                continue
            }
            Thread.detachNewThread { [self] in pass(client, server, isSlow: false) }
            Thread.detachNewThread { [self] in pass(server, client, isSlow: true) }
        }
        Glibc.close(listener)
    }

    private func pass(_ from: CInt, _ to: CInt, isSlow: Bool) {
        let chunk = isSlow ? max(1, bytesPerSecond / 20) : 65536
        var buffer = [UInt8](repeating: 0, count: chunk)
        while true {
            let count = read(from, &buffer, chunk)
            guard count > 0 else { break }
            while isSlow, isStalled.withLock(\.self) { usleep(20_000) }
            var sent = 0
            while sent < count {
                let wrote = buffer.withUnsafeBytes { bytes in
                    send(to, bytes.baseAddress.map { $0 + sent }, count - sent, Int32(MSG_NOSIGNAL))
                }
                guard wrote > 0 else { break }
                sent += wrote
            }
            guard sent == count else { break }
            if isSlow { usleep(UInt32(count * 1_000_000 / bytesPerSecond)) }
        }
        shutdown(to, Int32(SHUT_WR))
        shutdown(from, Int32(SHUT_RD))
    }
}
