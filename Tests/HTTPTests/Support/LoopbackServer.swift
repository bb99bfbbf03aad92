import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

/// Tells a handler from which port the client came: the same port is the same connection.
struct LoopbackContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let clientPort: Int

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        clientPort = source.channel.remoteAddress?.port ?? 0
    }
}

/// A real server on loopback for as long as `body` runs; it gets the server's port.
func withServer<Result: Sendable>(
    _ router: Router<LoopbackContext>, port: Int = 0,
    _ body: @Sendable (Int) async throws -> Result
) async throws -> Result {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let ports = Events<Int>()
    let application = Application(
        router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)),
        onServerRunning: { ports.add($0.localAddress?.port ?? 0) }, logger: logger)
    let group = ServiceGroup(
        configuration: .init(services: [application], gracefulShutdownSignals: [], logger: logger))
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        guard let port = await ports.next() else { throw CancellationError() }
        let result = try await body(port)
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
        return result
    }
}
