import ContinuityCore
import ContinuityCrypto
import ContinuityTransport
import Foundation
import HTTPTypes
import Hummingbird
package import Logging
import ServiceLifecycle
import Synchronization

/// The HTTP interface of `serve`.
package final class APIServer: Service {
    private static let maxBodyBytes = ContractMiddleware.bodyBytesMax
    static let maxEntries = 1000
    static let maxWaitMs: Int64 = 30_000

    private let host: String
    private let port: Int
    let rules: AccessRules
    let openLink: @Sendable (String) -> SignedLink?
    private let reports = ReportGuard()
    let metrics: ServerMetrics
    let nowMs: @Sendable () -> Int64
    let orchestrator: any OrchestratorPort
    let logger: Logger
    let simulations: SimulationGate
    private let onListening: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - nowMs: UTC.
    ///   - onListening: Told the port once connections are accepted.
    package init(
        host: String, port: Int, rules: AccessRules, orchestrator: any OrchestratorPort,
        nowMs: @escaping @Sendable () -> Int64, logger: Logger,
        openLink: @escaping @Sendable (String) -> SignedLink? = { _ in nil },
        simulator: (any SimulationPort)? = nil,
        onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        self.rules = rules
        self.openLink = openLink
        simulations = SimulationGate(simulator)
        self.nowMs = nowMs
        self.orchestrator = orchestrator
        metrics = ServerMetrics(after: orchestrator.firstSeq)
        self.logger = logger
        self.onListening = onListening
    }

    /// - Throws: when the address cannot be listened on, or a certificate cannot be used.
    package func run() async throws {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let onListening = onListening
        let peers = PeerRegistry()
        // People may come with a token: who shows no certificate is judged by the routes' rules.
        let keeper = try rules.tls.map {
            try TLSKeeper(files: $0, clientCertificates: .optional, logger: logger)
        }
        let bounds = rules.limits.bounds
        let application = Application(
            router: router(peers),
            server: .transport(keeper: keeper, peers: peers, bounds: bounds),
            configuration: .init(
                address: .hostname(host, port: port), serverName: nil,
                availableConnectionsDelegate: .maximum(bounds.connectionsMax, logger: quiet)),
            onServerRunning: { channel in onListening(channel.localAddress?.port ?? 0) },
            logger: quiet)
        // Cancelled where the server ends before it leads.
        async let _: Void = warnOfApprovalShortages()
        try await application.run()
    }

    func router(_ peers: PeerRegistry) -> Router<APIContext> {
        let router = Router(
            context: APIContext.self, options: .autoGenerateHeadEndpoints)
        // Outside of the problems, so that it sees their status.
        router.add(middleware: RequestMetrics(metrics: metrics))
        router.add(middleware: BrowserMiddleware())
        router.add(middleware: ProblemMiddleware())
        router.add(middleware: RequestFormMiddleware())
        router.add(middleware: MethodMiddleware())
        let checked = router.group("").add(
            middleware: AccessMiddleware(
                authenticator: Authenticator(
                    rules: rules, peers: peers, orchestrator: orchestrator, nowMs: nowMs),
                gate: AccessGate(
                    limits: rules.limits, orchestrator: orchestrator, nowMs: nowMs,
                    logger: logger))
        ).add(middleware: ContractMiddleware())
        addHealthRoutes(to: checked)
        addMetricsRoute(to: checked)
        let api = checked.group("/api/v1/continuity")
        api.get("openapi.json") { _, _ in Self.json(bytes: OpenAPIDocument.bytes) }
        addAgentRoutes(to: api)
        addOperatorRoutes(to: api)
        addDrillRoutes(to: api)
        addBrakeRoutes(to: api)
        addApprovalRoutes(to: api)
        addApprovalLinkRoutes(to: api)
        addScheduleRoutes(to: api)
        addAuditRoutes(to: api)
        addTokenRoutes(to: api)
        addEventRoute(to: api, EventStreams(bounds: rules.limits.bounds))
        addPredecessorRoutes(to: api)
        // One that is not declared would answer nobody; one without a route would be a promise.
        let routes = Set(router.routes.map { "\($0.method) \($0.path)" })
        let declared = Set(APIOperation.allCases.map { "\($0.rule.method) \($0.rule.path)" })
        precondition(
            routes == declared,
            "routes without a declaration, or the other way round: "
                + routes.symmetricDifference(declared).sorted().joined(separator: ", "))
        return router
    }

    // MARK: Agents

    private func addAgentRoutes(to api: RouterGroup<APIContext>) {
        api.post("agent/report") { [orchestrator, reports] request, context in
            let report = try Self.body(NodeReport.self, of: context)
            try context.caller.require(report.clusterID, report.nodeID)
            try reports.check(report, request.headers)
            var answer = try Self.answer(
                try await Self.journaled { try await orchestrator.report(report) })
            answer.headers.append(contentsOf: reports.headers)
            return answer
        }
        // What proves to a witness that one checkpoint extends another.
        api.get("agent/links") { [orchestrator] request, _ in
            let after = try Self.number("after", request, in: 0...Int64.max, default: 0)
            let limit = try Self.number(
                "limit", request, in: 1...Int64(Self.maxEntries), default: 100)
            let entries = try await Self.journaled {
                try await orchestrator.entries(after: after, limit: Int(limit), waitMs: 0)
            }
            return try Self.json(encoding: ChainLinks(links: entries.map(ChainLink.init(of:))))
        }
    }

    // MARK: Operators

    private struct MoveRequest: Decodable {
        var clusterID: ClusterID
        var targetNodeID: NodeID?
        var reason: String?
        var requestedBy: String?
        var acceptsDataLoss: Bool?

        enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case targetNodeID = "target_node_id"
            case acceptsDataLoss = "accepts_data_loss"
            case reason
            case requestedBy = "requested_by"
        }
    }

    private func addOperatorRoutes(to api: RouterGroup<APIContext>) {
        api.get("status") { [orchestrator] _, context in
            try Self.json(encoding: try await Self.visible(orchestrator, to: context.caller))
        }
        for kind in [PlanKind.failover, .switchover, .adopt] {
            api.post("\(kind.rawValue)") { [self] request, context in
                let move = try Self.body(MoveRequest.self, of: context)
                try context.caller.require(move.clusterID)
                let requester = principal(context, claimed: move.requestedBy)
                let reply = try await Self.journaled {
                    try await orchestrator.request(
                        OperatorRequest(
                            clusterID: move.clusterID, kind: kind,
                            targetNodeID: move.targetNodeID, reason: move.reason ?? "",
                            requestedBy: requester,
                            acceptsDataLoss: move.acceptsDataLoss ?? false))
                }
                return try Self.answer(reply)
            }
        }
    }

    // MARK: Audit

    private func addAuditRoutes(to api: RouterGroup<APIContext>) {
        api.get("audit") { [self] request, context in
            if let id = request.uri.queryParameters["audit_id"] {
                return try await auditAnswer(of: RunID(String(id)), context)
            }
            let after = try Self.number("after", request, in: 0...Int64.max, default: 0)
            let limit = try Self.number(
                "limit", request, in: 1...Int64(Self.maxEntries), default: 100)
            let waitMs = try Self.number("wait_ms", request, in: 0...Self.maxWaitMs, default: 0)
            let kind = request.uri.queryParameters["kind"].map(String.init)
            let isNewest = request.uri.queryParameters["newest"] == "true"
            let caller = context.caller
            let entries = try await Self.journaled {
                try await orchestrator.entries(
                    JournalQuery(
                        after: after, limit: Int(limit), kind: kind, clusters: caller.clusters,
                        isNewest: isNewest),
                    waitMs: waitMs)
            }.filter { caller.reaches($0.clusterID) }
            var bytes = Array(#"{"entries":["#.utf8)
            for (index, entry) in entries.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes += entry.jsonBytes()
            }
            bytes += Array("]}".utf8)
            return Self.json(bytes: bytes)
        }
        api.get("audit/{seq}") { [orchestrator] _, context in
            let seq = try context.parameters.require("seq", as: Int64.self)
            guard let entry = try await Self.journaled({ try await orchestrator.entry(seq) }),
                context.caller.reaches(entry.clusterID)
            else {
                throw Problem(.notFound, "no-such-entry", "the journal has no entry \(seq)")
            }
            return Self.json(bytes: entry.jsonBytes())
        }
    }

    // MARK: Bodies and answers

    static func number(
        _ name: String, _ request: Request, in range: ClosedRange<Int64>, default fallback: Int64
    ) throws -> Int64 {
        guard let text = request.uri.queryParameters[Substring(name)] else { return fallback }
        guard let value = Int64(text), range.contains(value) else {
            throw Problem(
                .badRequest, "bad-parameter",
                "'\(name)' must be a whole number from \(range.lowerBound) to "
                    + "\(range.upperBound)")
        }
        return value
    }

    static func bytes(of request: Request) async throws -> ByteBuffer {
        do {
            return try await request.body.collect(upTo: maxBodyBytes)
        } catch {
            throw Problem(
                .contentTooLarge, "body-too-large",
                "the body must arrive whole, within \(maxBodyBytes) bytes")
        }
    }

    /// The body as ``ContractMiddleware`` has read and checked it: it is not read twice.
    static func body<Body: Decodable>(_ type: Body.Type, of context: APIContext) throws -> Body {
        guard let body = context.body else {
            throw Problem(.badRequest, "bad-body", "a body is needed")
        }
        do {
            return try body.decode(type)
        } catch {
            throw Problem(.badRequest, "bad-body", describe(error))
        }
    }

    private static func describe(_ error: any Error) -> String {
        switch error as? DecodingError {
        case .keyNotFound(let key, _): "the field '\(key.stringValue)' is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "the field '\(context.codingPath.map(\.stringValue).joined(separator: "."))' has the "
                + "wrong type: \(context.debugDescription)"
        case .dataCorrupted(let context):
            "the body is not the expected JSON: \(context.debugDescription)"
        default: "the body is not the expected JSON"
        }
    }

    /// Says why the orchestrator has not answered, and whether it is worth trying again.
    static func journaled<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as OrchestratorUnavailable {
            switch error {
            case .overloaded:
                throw Problem(
                    .serviceUnavailable, "overloaded", "\(error)", headers: [.retryAfter: "1"])
            case .stopping:
                throw Problem(.serviceUnavailable, "stopping", "\(error)")
            case .journalUnavailable:
                throw Problem(.serviceUnavailable, "journal-unavailable", "\(error)")
            }
        }
    }

    static func answer(_ reply: Reply) throws -> Response {
        switch reply {
        case .report(let reply): return try json(encoding: reply)
        case .accepted(let runID, let planID):
            return json(
                ["run_id": .string(runID.rawValue), "plan_id": .string(planID.rawValue)],
                status: .accepted)
        case .awaitingApproval(let approval):
            return json(
                bytes: try CanonicalJSON.bytes(encoding: approval), status: .accepted)
        case .drillAccepted(let drillID, let planID):
            return json(
                ["drill_id": .string(drillID.rawValue), "plan_id": .string(planID.rawValue)],
                status: .accepted)
        case .hookPacksChanged(let body): return try json(encoding: body)
        case .noted(let seq): return json(["seq": .int(seq)])
        case .arranged(let seq, let approval):
            var members: [String: JSONValue] = ["seq": .int(seq)]
            if let approval {
                members["approval_id"] = .string(approval.approvalID.rawValue)
                members["needed"] = .int(Int64(approval.needed))
                members["expires_at_ms"] = .int(approval.expiresAtMs)
            }
            return json(.object(members))
        case .problem(let problem):
            let status: HTTPResponse.Status =
                switch problem.kind {
                case .unknown: .notFound
                case .invalid: .unprocessableContent
                case .conflict: .conflict
                }
            throw Problem(status, problem.type, problem.detail)
        case .refused(let refusal):
            throw Problem(
                .conflict, refusal.rule.rawValue.replacing("_", with: "-"), refusal.evidence)
        case .token(let token): return json(try shown(token))
        case .tokenRefused(let evidence): throw Problem(.conflict, "token-refused", evidence)
        case .unknownCluster(let id):
            throw Problem(
                .notFound, "no-such-cluster", "the server's configuration has no cluster '\(id)'")
        case .unknownNode(let id):
            throw Problem(.notFound, "no-such-node", "the cluster has no node '\(id)'")
        case .effectIntended, .effectTooLate:
            preconditionFailure("the answer to a hook's effect came for a request")
        }
    }

    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        json(bytes: CanonicalJSON.bytes(value), status: status)
    }

    static func json(encoding value: some Encodable) throws -> Response {
        json(bytes: try CanonicalJSON.bytes(encoding: value))
    }

    static func json(bytes: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
