import ContinuityCore
import ContinuityHooks
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@Suite("A receiver of the webhook pack", .serialized)
struct WebhookPackTests {
    private static let token = "webhook-token-0123456789"

    /// Takes posts with the right token, once for each idempotency key, as a receiver should.
    private final class Receiver: Sendable {
        let posts = Mutex<[JSONValue]>([])
        let keys = Mutex<Set<String>>([])

        func take(_ request: Request) async throws -> HTTPResponse.Status {
            guard request.headers[.authorization] == "Bearer \(WebhookPackTests.token)" else {
                return .unauthorized
            }
            guard let name = HTTPField.Name("idempotency-key"),
                let key = request.headers[name], !key.isEmpty
            else { return .badRequest }
            let bytes = try await request.body.collect(upTo: 1 << 20)
            let body = try JSONDecoder().decode(JSONValue.self, from: Data(bytes.readableBytesView))
            if keys.withLock({ $0.insert(key).inserted }) { posts.withLock { $0.append(body) } }
            return .accepted
        }
    }

    private func withReceiver(_ body: @Sendable (Receiver, Int) async throws -> Void) async throws {
        let receiver = Receiver()
        let router = Router()
        router.post("/continuity") { request, _ in try await receiver.take(request) }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) }, logger: logger)
        let group = ServiceGroup(
            configuration: .init(
                services: [application], gracefulShutdownSignals: [], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            guard let port = await iterator.next() else { throw CancellationError() }
            try await body(receiver, port)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    @Test("the run arrives once, with the token that the script never held")
    func arrives() async throws {
        try await withReceiver { receiver, port in
            let harness = try BrokerHarness(secrets: [
                ("webhook", Self.token, "127.0.0.1"),
                ("wrong", "not-the-token-012345", "127.0.0.1"),
            ])
            defer { harness.remove() }
            let url = "http://127.0.0.1:\(port)"
            func notify(_ secret: String) async throws -> HookOutcome {
                try await harness.run(
                    pack: "hooks/notify-webhook", at: .notify,
                    context: BrokerHarness.context(.notify),
                    conf: ["url": .string(url + "/continuity"), "secret": .string(secret)],
                    grant:
                        "{http: [{hosts: ['\(url)'], methods: [POST], paths: [/continuity], allow_private: true}], secrets: [webhook, wrong]}"
                )
            }
            // A call that is repeated, as after a restart of `serve`, is recognised.
            for _ in 1...2 {
                let outcome = try await notify("webhook")
                #expect(outcome.status == .ok && outcome.value["status"] == 202, "\(outcome)")
                let record = String(
                    decoding: CanonicalJSON.bytes(.array(outcome.effects)), as: UTF8.self)
                #expect(!record.contains(Self.token))
            }
            let posts = receiver.posts.withLock(\.self)
            #expect(posts.count == 1)
            #expect(posts.first?["summary"] == "demo was failed over from db-1 to db-2")
            #expect(posts.first?["run"]?["run_id"] == "run-1" && posts.first?["epoch"] == 3)
            let refused = try await notify("wrong")
            #expect(refused.status == .failed)
            #expect(refused.error == "the webhook answered with status 401", "\(refused)")
        }
    }
}
