import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

/// A server that says back whatever it is told, in body and header: the worst host for a secret.
func withEchoServer<Result: Sendable>(
    seen: @escaping @Sendable (String) -> Void = { _ in },
    _ body: @Sendable (Int) async throws -> Result
) async throws -> Result {
    let router = Router()
    @Sendable func echo(_ request: Request) async throws -> Response {
        let bytes = try await request.body.collect(upTo: 1 << 20)
        let headers =
            ["host: \(request.head.authority ?? "")"]
            + request.headers.map { "\($0.name.rawName): \($0.value)" }
        let text =
            ([request.method.rawValue + " " + request.uri.description] + headers
            + [String(buffer: bytes)]).joined(separator: "\n")
        seen(text)
        var fields: HTTPFields = [.contentType: "text/plain"]
        if let authorization = request.headers[.authorization], let name = HTTPField.Name("x-echo")
        {
            fields[name] = authorization
        }
        return Response(
            status: .ok, headers: fields, body: .init(byteBuffer: ByteBuffer(string: text)))
    }
    router.get("/redirect/**") { request, _ in
        Response(status: .found, headers: [.location: request.uri.query ?? "/"])
    }
    router.get("/echo/**") { request, _ in try await echo(request) }
    router.post("/echo/**") { request, _ in try await echo(request) }
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let application = Application(
        router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) }, logger: logger)
    let group = ServiceGroup(
        configuration: .init(services: [application], gracefulShutdownSignals: [], logger: logger))
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else { throw CancellationError() }
        let result = try await body(port)
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
        return result
    }
}
