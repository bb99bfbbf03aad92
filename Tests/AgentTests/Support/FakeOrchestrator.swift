import ContinuityCore
import Foundation
import Hummingbird
import ServiceLifecycle
import Synchronization

/// Answers reports as it is told to, and remembers them.
final class FakeOrchestrator: Service {
    private struct Storage {
        var reply = ReportReply(
            epoch: 1, intervalMs: 50, jitterPermille: 100, leaseMs: nil, peers: [])
        var isSilent = false
        var problem: (status: Int, body: String)?
        var text: String?
        var links: [ChainLink] = []
        var reports: [NodeReport] = []
        var port: Int?
    }

    static let token = "a-token-of-the-tests-0123456789"
    private let storage = Mutex(Storage())

    var reports: [NodeReport] { storage.withLock(\.reports) }
    var last: NodeReport? { storage.withLock { $0.reports.last } }
    var port: Int? { storage.withLock(\.port) }

    func answer(_ change: (inout ReportReply) -> Void) {
        storage.withLock { change(&$0.reply) }
    }

    /// From now on every report is answered with these bytes; `nil`: with the reply.
    func answer(text: String?) { storage.withLock { $0.text = text } }

    /// What the next reply would be, as JSON.
    var reply: ReportReply { storage.withLock(\.reply) }

    /// What `agent/links` shows, from entry 1.
    func show(_ links: [ChainLink]) { storage.withLock { $0.links = links } }

    /// From now on reports are refused with this problem; `nil`: they are taken.
    func refuse(_ problem: (status: Int, body: String)?) {
        storage.withLock { $0.problem = problem }
    }

    /// From now on reports get a 503.
    func fallSilent() { storage.withLock { $0.isSilent = true } }

    private func receive(_ report: NodeReport) -> ReportReply? {
        storage.withLock { storage in
            guard !storage.isSilent else { return nil }
            storage.reports.append(report)
            return storage.reply
        }
    }

    /// Serves until a graceful shutdown.
    func run() async throws {
        let router = Router()
        router.post("/api/v1/continuity/agent/report") { request, _ -> Response in
            guard request.headers[.authorization] == "Bearer \(Self.token)" else {
                return Response(status: .unauthorized)
            }
            let body = try await request.body.collect(upTo: 1 << 20)
            let report = try JSONDecoder().decode(
                NodeReport.self, from: Data(body.readableBytesView))
            if let problem = self.storage.withLock({ $0.problem }) {
                self.storage.withLock { $0.reports.append(report) }
                return Response(
                    status: .init(code: problem.status),
                    body: .init(byteBuffer: ByteBuffer(string: problem.body)))
            }
            guard let reply = self.receive(report) else {
                return Response(status: .serviceUnavailable)
            }
            if let text = self.storage.withLock({ $0.text }) {
                return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: text)))
            }
            let bytes = try CanonicalJSON.bytes(encoding: reply)
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
        }
        router.get("/api/v1/continuity/agent/links") { request, _ -> Response in
            let after = Int(request.uri.queryParameters["after"] ?? "") ?? 0
            let limit = Int(request.uri.queryParameters["limit"] ?? "") ?? 0
            let links = self.storage.withLock { Array($0.links.dropFirst(after).prefix(limit)) }
            let bytes = try CanonicalJSON.bytes(encoding: ChainLinks(links: links))
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
        }
        let application = Application(
            router: router,
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                let port = channel.localAddress?.port
                self.storage.withLock { $0.port = port }
            })
        try await application.run()
    }
}
