import ContinuityCore
import ContinuityCrypto
import ContinuityNode
import ContinuityTransport
import Foundation
import Hummingbird
import Logging

/// What the agent answers over HTTP: to load balancers, to other agents, to the orchestrator.
struct Endpoints: Sendable {
    static let maxBodyBytes = 64 << 10
    /// Of one address. Peers and load balancers look a few times a second.
    private static let requestsPerSecond = 200

    struct RoleBody: Encodable {
        var clusterID: ClusterID
        var nodeID: NodeID
        var role: ServiceReport.Role
        var state: ServiceReport.State
        var leaseRemainingMs: Int64

        private enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case nodeID = "node_id"
            case role, state
            case leaseRemainingMs = "lease_remaining_ms"
        }
    }

    struct HealthBody: Encodable {
        var clusterID: ClusterID
        var nodeID: NodeID
        var bootID: String
        var highestEpoch: Int64
        /// Whom it obeys in that epoch.
        var instanceID: String?
        var service: ServiceReport
        var leaseRemainingMs: Int64
        var peers: [NodeID: PeerView]
        var guardProcess: GuardStatus
        /// Set from a fence until an order starts the service.
        var fenced: Fenced?
        var isUnleased: Bool?
        var mode: String
        /// What the agent leaves undone, and why; `nil`: nothing.
        var wouldDo: String?
        /// What it keeps of the audit journal's checkpoints.
        var witness: WitnessState?

        private enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case nodeID = "node_id"
            case bootID = "boot_id"
            case highestEpoch = "highest_epoch"
            case instanceID = "instance_id"
            case service, peers, witness, fenced, mode
            case isUnleased = "unleased"
            case wouldDo = "would_do"
            case guardProcess = "guard"
            case leaseRemainingMs = "lease_remaining_ms"
        }
    }

    let state: NodeState
    let desk: CommandDesk
    let witness: WitnessKeeper
    let peers: PeerRegistry
    let logger: Logger

    /// Everything, for those who have a certificate of ours.
    func router() -> Router<TransportContext> {
        let router = Router(context: TransportContext.self)
        router.add(middleware: ProblemMiddleware())
        router.add(middleware: AddressLimit(perSecond: Self.requestsPerSecond))
        addReadings(to: router)
        router.post("/v1/commands") { request, context in
            try await commands(request, context)
        }
        router.post("/v1/promises") { request, context in
            try await promises(request, context)
        }
        return router
    }

    /// What load balancers and people who look may know.
    func healthRouter() -> Router<TransportContext> {
        let router = Router(context: TransportContext.self)
        router.add(middleware: ProblemMiddleware())
        router.add(middleware: AddressLimit(perSecond: Self.requestsPerSecond))
        addReadings(to: router)
        return router
    }

    private func addReadings(to router: Router<TransportContext>) {
        // `/` as with Patroni: HAProxy's `option httpchk` asks it where no path is given.
        for path: RouterPath in ["/primary", "/"] {
            reading(path, on: router) { role(when: \.isPrimary) }
        }
        reading("/replica", on: router) {
            role { standing in
                let service = standing.service
                return service.state == .running && service.role == .secondary && service.streaming
            }
        }
        // Late or cut off from the primary, but consistent: for readers who take what there is.
        reading("/readable", on: router) {
            role { $0.service.state == .running && $0.service.role == .secondary }
        }
        reading("/health", on: router) { health() }
        reading("/metrics", on: router) { metrics() }
    }

    /// GET, and with the same status and no body the methods that load balancers ask with: HAProxy
    /// with OPTIONS unless it is told otherwise, others with HEAD.
    private func reading(
        _ path: RouterPath, on router: Router<TransportContext>,
        _ answer: @escaping @Sendable () -> Response
    ) {
        router.get(path) { _, _ in answer() }
        for method in [HTTPRequest.Method.head, .options] {
            router.on(path, method: method) { _, _ in
                var response = answer()
                response.headers[.allow] = "GET, HEAD, OPTIONS"
                response.body = .init()
                return response
            }
        }
    }

    // MARK: Roles

    private func role(when isTrue: (NodeState.Standing) -> Bool) -> Response {
        let standing = state.standing()
        let body = RoleBody(
            clusterID: state.configuration.clusterID, nodeID: state.configuration.nodeID,
            role: standing.service.role, state: standing.service.state,
            leaseRemainingMs: standing.leaseMs)
        return json(body, status: isTrue(standing) ? .ok : .serviceUnavailable)
    }

    private func health() -> Response {
        let standing = state.standing()
        return json(
            HealthBody(
                clusterID: state.configuration.clusterID, nodeID: state.configuration.nodeID,
                bootID: state.bootID, highestEpoch: state.highestEpoch,
                instanceID: state.instanceID,
                service: standing.service, leaseRemainingMs: standing.leaseMs, peers: state.views,
                guardProcess: state.guardLink?.status ?? GuardStatus(), fenced: standing.fenced,
                isUnleased: standing.isUnleased ? true : nil,
                mode: state.configuration.mode.rawValue, wouldDo: state.wouldDo,
                witness: witness.state))
    }

    // MARK: Orders

    private func commands(
        _ request: Request, _ context: TransportContext
    ) async throws -> Response {
        try authorize(request, context) { $0.isOrchestrator($1) }
        let command = try await body(AgentCommand.self, of: request)
        guard command.timeoutMs > 0, !command.key.rawValue.isEmpty else {
            throw Problem(.badRequest, "bad-body", "'key' and a positive 'timeout_ms' are needed")
        }
        if let fault = command.fault { throw Problem(.badRequest, "bad-body", fault) }
        return json(await desk.submit(command))
    }

    private func promises(
        _ request: Request, _ context: TransportContext
    ) async throws -> Response {
        // Before anything is read of whoever has no certificate of ours at all.
        try authorize(request, context) { _, _ in true }
        let promise = try await body(PromiseRequest.self, of: request)
        try authorize(request, context) {
            $0.isPeer($1, cluster: state.configuration.clusterID, node: promise.nodeID)
        }
        if let fault = promise.fault { throw Problem(.badRequest, "bad-body", fault) }
        do {
            let reply = try await state.promise(promise)
            logger.notice(
                reply.promised ? "promised not to be promoted" : "refused a promise",
                metadata: [
                    "to": "\(promise.nodeID)", "promise_ms": "\(promise.promiseMs)",
                    "reason": "\(reply.promised ? "none" : reply.detail)",
                ])
            return json(reply)
        } catch {
            // Kept in memory, yet not durable: it holds this node back but proves nothing.
            return json(
                PromiseReply(
                    nodeID: state.configuration.nodeID, promised: false, detail: "\(error)"))
        }
    }

    private func body<Body: Decodable>(
        _ type: Body.Type, of request: Request
    ) async throws -> Body {
        let bytes: ByteBuffer
        do {
            bytes = try await request.body.collect(upTo: Self.maxBodyBytes)
        } catch {
            throw Problem(
                .contentTooLarge, "body-too-large",
                "the body must arrive whole, within \(Self.maxBodyBytes) bytes")
        }
        do {
            return try WireJSON.decode(type, from: bytes.readableBytesView, allowsNUL: false)
        } catch {
            throw Problem(.badRequest, "bad-body", "the body is not the expected JSON: \(error)")
        }
    }

    /// - Throws: ``Problem`` when it is not said, or not allowed, who asks.
    private func authorize(
        _ request: Request, _ context: TransportContext,
        _ isAllowed: (AgentConfiguration.TLS, Identity) -> Bool
    ) throws {
        guard let tls = state.configuration.tls else {
            guard hasToken(request) else {
                throw Problem(
                    .unauthorized, "unauthorized", "a valid bearer token is needed",
                    headers: [.wwwAuthenticate: "Bearer"])
            }
            return
        }
        let certificate = try PeerRegistry.current(
            peers.certificate(of: context.channel), on: context.channel)
        guard let identity = Identity(certificate: certificate), isAllowed(tls, identity) else {
            throw Problem(
                .forbidden, "wrong-identity",
                "the certificate's URI is not one that may ask this of this node")
        }
        guard
            tls.orchestratorPins.isEmpty || !tls.isOrchestrator(identity)
                || tls.orchestratorPins.contains(Pin(of: certificate))
        else {
            throw Problem(
                .forbidden, "pin-mismatch",
                "the certificate's key is none of those that are pinned for an orchestrator")
        }
    }

    private func hasToken(_ request: Request) -> Bool {
        let prefix = "Bearer "
        guard let header = request.headers[.authorization], header.hasPrefix(prefix) else {
            return false
        }
        return constantTimeEqual(
            SHA256.digest(Array(header.dropFirst(prefix.count).utf8)),
            SHA256.digest(Array(state.configuration.token.utf8)))
    }

    // MARK: Answers

    private func json(
        _ body: some Encodable, status: HTTPResponse.Status = .ok,
        type: String = "application/json"
    ) -> Response {
        do {
            let bytes = try CanonicalJSON.bytes(encoding: body)
            return Response(
                status: status,
                headers: [.contentType: type, .cacheControl: "no-store"],
                body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
        } catch {
            logger.error("an answer cannot be encoded", metadata: ["error": "\(error)"])
            return Response(status: .internalServerError)
        }
    }
}
