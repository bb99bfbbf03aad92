import ContinuityCore
import ContinuityTransport
import HTTPTypes
import Hummingbird

/// Counts every answer, whatever it is.
struct RequestMetrics: RouterMiddleware {
    let metrics: ServerMetrics

    func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        let response = try await next(request, context)
        metrics.answered(
            APIOperation.of(method: request.method.rawValue, path: context.endpointPath),
            status: response.status.code, took: ContinuousClock.now - start)
        return response
    }
}

extension APIServer {
    func addHealthRoutes(to checked: RouterGroup<APIContext>) {
        checked.get("/health/live") { _, _ in Self.json(["status": "live"]) }
        checked.get("/health/ready") { [orchestrator] _, _ in
            guard orchestrator.isReady else {
                throw Problem(.serviceUnavailable, "not-ready", "the server does not lead yet")
            }
            return Self.json(["status": "ready"])
        }
        checked.get("/health/deep") { [orchestrator, rules, nowMs] _, context in
            let report = try? await Self.visible(orchestrator, to: context.caller)
            let shortages = try? await Self.approvalShortages(
                orchestrator, rules, report?.clusters.map(\.clusterID) ?? [], nowMs: nowMs())
            let health = DeepHealth(
                report: report, approvalShortages: shortages ?? [:], isReady: orchestrator.isReady)
            var response = Self.json(bytes: try CanonicalJSON.bytes(encoding: health))
            response.headers[.contentType] = "application/health+json"
            if health.status == .fail { response.status = .serviceUnavailable }
            return response
        }
    }

    func addMetricsRoute(to checked: RouterGroup<APIContext>) {
        checked.get("/metrics") { [orchestrator, metrics, nowMs] _, context in
            let caller = context.caller
            let report = try await Self.visible(orchestrator, to: caller)
            try await Self.journaled {
                try await metrics.catchUp(orchestrator, clusters: report.clusters.map(\.clusterID))
            }
            let page = MetricsPage(
                report: report, metrics: metrics, isReady: orchestrator.isReady, nowMs: nowMs(),
                reaches: caller.reaches)
            return Response(
                status: .ok,
                headers: [
                    .contentType: PrometheusText.contentType, .cacheControl: "no-store",
                ],
                body: .init(byteBuffer: ByteBuffer(string: page.text())))
        }
    }

    func addEventRoute(to api: RouterGroup<APIContext>, _ streams: EventStreams) {
        api.get("events") { [orchestrator] request, context in
            let caller = context.caller
            let all: ClosedRange<Int64> = 0...Int64.max
            var after: Int64?
            if let text = HTTPField.Name("last-event-id").flatMap({ request.headers[$0] }) {
                guard let seq = Int64(text), all.contains(seq) else {
                    throw Problem(
                        .badRequest, "bad-header",
                        "'Last-Event-ID' must be the number of an entry of the journal")
                }
                after = seq
            } else if request.uri.queryParameters["after"] != nil {
                after = try Self.number("after", request, in: all, default: 0)
            }
            return try await streams.response(
                after: after, for: caller.name, of: orchestrator
            ) {
                caller.reaches($0.clusterID)
            }
        }
    }

    /// The state, without the clusters that the caller's credential does not reach.
    static func visible(
        _ orchestrator: any OrchestratorPort, to caller: Caller
    ) async throws -> StatusReport {
        var report = try await journaled { try await orchestrator.status() }
        report.clusters.removeAll { !caller.reaches($0.clusterID) }
        report.audit?.witnesses.removeAll { !caller.reaches($0.clusterID) }
        // Whether the brake holds matters to everybody; which other cluster it was does not.
        if let latch = report.brake.latch, !caller.reaches(latch.clusterID) {
            report.brake.latch = nil
            report.brake.isLatchedElsewhere = true
        }
        if !caller.clusters.isEmpty { report.pendingAlerts = 0 }
        return report
    }
}
