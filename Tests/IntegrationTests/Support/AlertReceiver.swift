import ContinuityAlerts
import ContinuityHTTP
import Glibc
import Hummingbird
import Logging
import Synchronization

/// Takes webhooks and checks each signature, as a receiver in the field does.
final class AlertReceiver: Sendable {
    private let port: Int
    private let secret: WebhookSecret
    private let valid = Mutex<[(id: String, body: String)]>([])
    private let refused = Mutex(0)

    init(port: Int, secret: String) throws {
        self.port = port
        self.secret = try WebhookSecret(parsing: secret)
    }

    var accepted: [(id: String, body: String)] { valid.withLock(\.self) }
    var refusals: Int { refused.withLock(\.self) }

    /// Until the task is cancelled.
    func run() async throws {
        let router = Router()
        router.post("/") { request, _ in
            let body = try await request.body.collect(upTo: 1 << 20)
            return self.take(request, Array(body.readableBytesView))
        }
        try await Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)),
            logger: Logger(label: "receiver") { _ in SwiftLogNoOpLogHandler() }
        ).serveUntilCancelled()
    }

    private func take(_ request: Request, _ body: [UInt8]) -> HTTPResponse.Status {
        let headers = HTTPHeaders(
            request.headers.map { HTTPHeader(name: $0.name.rawName, value: $0.value) })
        do {
            try StandardWebhooks.verify(
                headers: headers, body: body, secret: secret, nowSeconds: Int64(time(nil)))
        } catch {
            refused.withLock { $0 += 1 }
            return .unauthorized
        }
        valid.withLock {
            $0.append((headers["webhook-id"] ?? "", String(decoding: body, as: UTF8.self)))
        }
        return .noContent
    }
}
