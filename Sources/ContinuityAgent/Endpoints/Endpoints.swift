import ContinuityCore
import Foundation
import Hummingbird
import Logging

/// What the agent answers over HTTP: to load balancers, to other agents, to the orchestrator.
struct Endpoints: Sendable {
    static let maxBodyBytes = 64 << 10

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
        var service: ServiceReport
        var leaseRemainingMs: Int64
        var peers: [NodeID: PeerView]
        var guardProcess: GuardStatus
        /// What it keeps of the audit journal's checkpoints.
        var witness: WitnessState?

        private enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case nodeID = "node_id"
            case bootID = "boot_id"
            case highestEpoch = "highest_epoch"
            case service, peers, witness
            case guardProcess = "guard"
            case leaseRemainingMs = "lease_remaining_ms"
        }
    }

    struct ProblemBody: Encodable {
        var type = "about:blank"
        var title: String
        var status: Int
        var detail: String
    }

    let state: NodeState
    let desk: CommandDesk
    let witness: WitnessKeeper
    let logger: Logger

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/primary") { _, _ in
            role { $0.state == .running && $0.role == .primary && $1 > 0 }
        }
        router.get("/replica") { _, _ in
            role { service, _ in
                service.state == .running && service.role == .secondary && service.streaming
            }
        }
        router.get("/health") { _, _ in health() }
        router.post("/v1/commands") { request, _ in await commands(request) }
        router.post("/v1/promises") { request, _ in await promises(request) }
        return router
    }

    // MARK: Roles

    private func role(when isTrue: (ServiceReport, Int64) -> Bool) -> Response {
        let (service, leaseMs) = state.standing()
        let body = RoleBody(
            clusterID: state.configuration.clusterID, nodeID: state.configuration.nodeID,
            role: service.role, state: service.state, leaseRemainingMs: leaseMs)
        return json(body, status: isTrue(service, leaseMs) ? .ok : .serviceUnavailable)
    }

    private func health() -> Response {
        let (service, leaseMs) = state.standing()
        return json(
            HealthBody(
                clusterID: state.configuration.clusterID, nodeID: state.configuration.nodeID,
                bootID: state.bootID, highestEpoch: state.highestEpoch, service: service,
                leaseRemainingMs: leaseMs, peers: state.views,
                guardProcess: state.guardLink?.status ?? GuardStatus(),
                witness: witness.state))
    }

    // MARK: Orders

    private func commands(_ request: Request) async -> Response {
        await authorized(request, as: AgentCommand.self) { command in
            guard command.timeoutMs > 0, !command.key.rawValue.isEmpty else {
                return problem(.badRequest, "'key' and a positive 'timeout_ms' are needed")
            }
            return json(await desk.submit(command))
        }
    }

    private func promises(_ request: Request) async -> Response {
        await authorized(request, as: PromiseRequest.self) { promise in
            guard (1...PromiseRequest.longestMs).contains(promise.promiseMs) else {
                return problem(
                    .badRequest, "'promise_ms' must be from 1 to \(PromiseRequest.longestMs)")
            }
            let nodeID = state.configuration.nodeID
            do {
                let refusal = try await state.promise(promise)
                logger.notice(
                    refusal == nil ? "promised not to be promoted" : "refused a promise",
                    metadata: [
                        "to": "\(promise.nodeID)", "promise_ms": "\(promise.promiseMs)",
                        "reason": "\(refusal ?? "none")",
                    ])
                return json(
                    PromiseReply(
                        nodeID: nodeID, promised: refusal == nil, detail: refusal ?? ""))
            } catch {
                // Kept in memory, yet not durable: it holds this node back but proves nothing.
                return json(PromiseReply(nodeID: nodeID, promised: false, detail: "\(error)"))
            }
        }
    }

    private func authorized<Body: Decodable>(
        _ request: Request, as type: Body.Type, _ body: (Body) async -> Response
    ) async -> Response {
        guard isAuthorized(request) else {
            var response = problem(.unauthorized, "a valid bearer token is needed")
            response.headers[.wwwAuthenticate] = "Bearer"
            return response
        }
        let bytes: ByteBuffer
        do {
            bytes = try await request.body.collect(upTo: Self.maxBodyBytes)
        } catch {
            return problem(
                .contentTooLarge, "the body must arrive whole, within \(Self.maxBodyBytes) bytes")
        }
        do {
            let value = try JSONDecoder().decode(type, from: Data(bytes.readableBytesView))
            return await body(value)
        } catch {
            return problem(.badRequest, "the body is not the expected JSON: \(error)")
        }
    }

    private func isAuthorized(_ request: Request) -> Bool {
        let prefix = "Bearer "
        guard let header = request.headers[.authorization], header.hasPrefix(prefix) else {
            return false
        }
        let given = Array(header.dropFirst(prefix.count).utf8)
        let wanted = Array(state.configuration.token.utf8)
        // Takes the same time wherever the first difference stands.
        var difference = given.count ^ wanted.count
        for index in wanted.indices {
            difference |= Int(wanted[index] ^ (index < given.count ? given[index] : 0))
        }
        return difference == 0
    }

    // MARK: Answers

    private func problem(_ status: HTTPResponse.Status, _ detail: String) -> Response {
        json(
            ProblemBody(title: status.reasonPhrase, status: status.code, detail: detail),
            status: status, type: "application/problem+json")
    }

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
