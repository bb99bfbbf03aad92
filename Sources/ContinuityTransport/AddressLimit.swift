import HTTPTypes
package import Hummingbird
import NIOCore
import Synchronization

/// Lets each address ask so many times a second, and twice as many after a rest.
package final class AddressLimit: RouterMiddleware {
    package typealias Context = TransportContext

    private let limiter: Mutex<RateLimiter>

    package init(perSecond: Int) { limiter = Mutex(RateLimiter(perSecond: perSecond)) }

    package func handle(
        _ request: Request, context: TransportContext,
        next: (Request, TransportContext) async throws -> Response
    ) async throws -> Response {
        let address = context.channel.remoteAddress?.ipAddress ?? "unknown"
        if let waitMs = limiter.withLock({ $0.take(address, at: .now) }) {
            let seconds = max(1, (waitMs + 999) / 1000)
            throw Problem(
                .tooManyRequests, "too-many-requests",
                "this address asks for more than it may; try again in \(seconds) s",
                headers: [.retryAfter: "\(seconds)"])
        }
        return try await next(request, context)
    }
}
