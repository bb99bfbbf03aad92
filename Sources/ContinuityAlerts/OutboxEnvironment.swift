import Foundation

/// Time and chance, as the outbox uses them; tests bring their own.
package struct OutboxEnvironment: Sendable {
    /// UTC seconds since 1970.
    package var nowSeconds: @Sendable () -> Int64
    /// Throws when the task is cancelled.
    package var sleep: @Sendable (Duration) async throws -> Void
    /// A uniformly distributed number.
    package var random: @Sendable (ClosedRange<Int64>) -> Int64

    package init(
        nowSeconds: @escaping @Sendable () -> Int64,
        sleep: @escaping @Sendable (Duration) async throws -> Void,
        random: @escaping @Sendable (ClosedRange<Int64>) -> Int64
    ) {
        self.nowSeconds = nowSeconds
        self.sleep = sleep
        self.random = random
    }

    package static let live = OutboxEnvironment(
        nowSeconds: { Int64(time(nil)) },
        sleep: { try await Task.sleep(for: $0) },
        random: { Int64.random(in: $0) })
}
