/// What one side may ask of a server's patience.
package struct TransportBounds: Hashable, Sendable {
    /// From the connection to the whole head of its first request, TLS included.
    package var headTime: Duration = .seconds(10)
    /// From a request's head to its last byte.
    package var bodyTime: Duration = .seconds(20)
    /// From a response's head until the other side has taken all of it.
    package var responseTime: Duration = .seconds(60)
    /// Between a response and the whole head of the next request.
    package var idleTime: Duration = .seconds(120)
    /// Open at once; further ones wait in the kernel's queue.
    package var connectionsMax = 1024
    /// Open at once from one address; further ones are closed.
    package var connectionsOfAddressMax = 256
    /// Of them, those that have not asked anything yet; in their TLS handshake, say.
    package var silentOfAddressMax = 64
    package var headerBytesMax = 16 << 10
    package var headersMax = 64

    package init() {}
}
