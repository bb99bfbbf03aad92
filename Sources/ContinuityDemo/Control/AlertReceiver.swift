import ContinuityAlerts
import ContinuityCore
import ContinuityHTTP
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import Synchronization

/// The demo's own on-call system: takes webhooks and checks them as a careful receiver would.
final class AlertReceiver: Sendable {
    struct Delivery: Sendable {
        let alertID: String
        let type: String
        let subject: String
        let summary: String
    }

    private struct Received {
        var accepted: [Delivery] = []
        var refusals: [String] = []
    }

    private static let maximumBodyBytes = 1 << 20

    private let port: Int
    private let secret: WebhookSecret
    private let received = Mutex(Received())
    private let onDelivery: @Sendable (Delivery) -> Void

    init(
        port: Int, secret: WebhookSecret, onDelivery: @escaping @Sendable (Delivery) -> Void
    ) {
        self.port = port
        self.secret = secret
        self.onDelivery = onDelivery
    }

    var accepted: [Delivery] { received.withLock { $0.accepted } }

    /// Why deliveries were refused; empty when all were sound.
    var refusals: [String] { received.withLock { $0.refusals } }

    /// Serves until the task is cancelled. That it cannot, stands among the refusals.
    func run() async {
        do {
            try await serve()
        } catch {
            received.withLock { $0.refusals.append("port \(port) cannot be served: \(error)") }
        }
    }

    private func serve() async throws {
        let router = Router()
        router.post("/alerts") { request, _ -> HTTPResponse.Status in
            var request = request
            let body = try await request.collectBody(upTo: Self.maximumBodyBytes)
            return self.take(request.headers, Array(body.readableBytesView))
                ? .noContent : .badRequest
        }
        var logger = Logger(label: "demo.alerts")
        logger.logLevel = .critical
        let application = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: port)), logger: logger)
        try await application.run()
    }

    private func take(_ fields: HTTPFields, _ body: [UInt8]) -> Bool {
        let headers = HTTPHeaders(
            fields.map { HTTPHeader(name: $0.name.rawName, value: $0.value) })
        do {
            try StandardWebhooks.verify(
                headers: headers, body: body, secret: secret,
                nowSeconds: Int64(Date().timeIntervalSince1970))
            let delivery = try Self.event(body)
            received.withLock { $0.accepted.append(delivery) }
            onDelivery(delivery)
            return true
        } catch {
            received.withLock { $0.refusals.append("\(error)") }
            return false
        }
    }

    private static func event(_ body: [UInt8]) throws -> Delivery {
        let event = try JSONDecoder().decode(JSONValue.self, from: Data(body))
        guard event["specversion"]?.string == "1.0", let id = event["id"]?.string,
            let type = event["type"]?.string, event["source"]?.string?.isEmpty == false
        else { throw DemoFailure("a webhook holds no CloudEvent") }
        return Delivery(
            alertID: id, type: type, subject: event["subject"]?.string ?? "",
            summary: event["data"]?["summary"]?.string ?? "")
    }
}
