import Hummingbird
import Logging
import ServiceLifecycle

extension ApplicationProtocol {
    /// Serves until the task is cancelled, and ends in order then.
    ///
    /// A server that is cancelled drops a connection that it is just accepting, and NIO ends the
    /// process for it: "Deinited NIOAsyncWriter without calling finish()".
    func serveUntilCancelled() async throws {
        var configuration = ServiceGroupConfiguration(services: [self], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(5)
        let group = ServiceGroup(configuration: configuration)
        // Not a child: it is told to end, and not cancelled with this task.
        let serving = Task { try await group.run() }
        try await withTaskCancellationHandler {
            try await serving.value
        } onCancel: {
            Task { await group.triggerGracefulShutdown() }
        }
    }
}
