import ContinuityAlerts
import ContinuityHTTP
import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization

/// The secret that outbox and receivers share.
func testSecret() throws -> WebhookSecret {
    try WebhookSecret(parsing: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
}

/// A receiver that verifies each signature, answers the statuses it was given, and then 200.
final class WebhookReceiver: Sendable {
    struct Delivery: Sendable, Hashable {
        var id: String
        var timestamp: String
        /// Signature, content type and the channel's own header are as they should be.
        var isRight: Bool
    }

    let deliveries = Events<Delivery>()
    private let statuses: Mutex<[Int]>
    private let answerHeaders: HTTPFields

    init(_ statuses: [Int] = [], headers: HTTPFields = [:]) {
        self.statuses = Mutex(statuses)
        self.answerHeaders = headers
    }

    var router: Router<LoopbackContext> {
        let router = Router(context: LoopbackContext.self)
        router.post("hook") { request, _ in
            let body = try await request.body.collect(upTo: 1 << 20)
            return Response(
                status: .init(
                    code: try self.receive(request.headers, Array(body.readableBytesView))),
                headers: self.answerHeaders)
        }
        return router
    }

    private func receive(_ fields: HTTPFields, _ body: [UInt8]) throws -> Int {
        var headers = HTTPHeaders()
        for field in fields { headers.add(field.name.rawName, field.value) }
        let secret = try testSecret()
        let isSigned: Bool
        do throws(WebhookVerificationError) {
            try StandardWebhooks.verify(
                headers: headers, body: body, secret: secret, nowSeconds: TestClock.start)
            isSigned = true
        } catch {
            isSigned = false
        }
        deliveries.add(
            Delivery(
                id: headers["webhook-id"] ?? "", timestamp: headers["webhook-timestamp"] ?? "",
                isRight: isSigned && headers["content-type"] == CloudEvent.contentType
                    && headers["x-team"] == "platform"))
        return statuses.withLock { $0.isEmpty ? 200 : $0.removeFirst() }
    }
}

/// Advances by one second with each look at it.
final class TestClock: Sendable {
    static let start: Int64 = 1_700_000_000
    private let seconds = Atomic<Int64>(start)

    var nowSeconds: Int64 { seconds.wrappingAdd(1, ordering: .relaxed).newValue }
}
