import Glibc

/// Free ports of this machine's loopback interface.
enum LoopbackPorts {
    /// Below the range from which the kernel takes the local ports of outgoing connections: while
    /// a server is down, none of those can take its port.
    private static let range = 20_000..<32_000

    /// - Throws: `DemoFailure` when the machine has too few.
    static func free(_ count: Int) throws -> [Int] {
        var found: Set<Int> = []
        for _ in 0..<2000 {
            let port = Int.random(in: range)
            if isFree(port) { found.insert(port) }
            if found.count == count { return Array(found) }
        }
        throw DemoFailure("there are not \(count) free loopback ports from \(range)")
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
