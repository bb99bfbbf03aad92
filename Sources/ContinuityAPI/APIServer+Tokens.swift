import ContinuityCore
import ContinuityCrypto
import ContinuityTransport
import Hummingbird

/// Tokens for people and their programs.
extension APIServer {
    private struct TokenOrder: Decodable {
        var name: String
        var owner: String?
        var role: AccessRole
        var clusters: [ClusterID]?
        var expiresInS: Int64

        enum CodingKeys: String, CodingKey {
            case name, owner, role, clusters
            case expiresInS = "expires_in_s"
        }
    }

    private struct RevokeOrder: Decodable {
        var tokenID: TokenID
        var reason: String?

        enum CodingKeys: String, CodingKey {
            case tokenID = "token_id"
            case reason
        }
    }

    static let tokenSecondsMax: Int64 = 366 * 86_400

    func addTokenRoutes(to api: RouterGroup<APIContext>) {
        api.get("whoami") { _, context in
            let caller = context.caller
            return Self.json([
                "name": .string(caller.name), "credential": .string(caller.credential),
                "role": .string(caller.role?.rawValue ?? "none"),
                "clusters": .array(caller.clusters.sorted().map { .string($0.rawValue) }),
            ])
        }
        api.post("tokens") { [self] request, context in
            let order = try await Self.body(TokenOrder.self, of: request)
            return try await create(order, by: context.caller)
        }
        api.get("tokens") { [orchestrator] _, _ in
            let tokens = try await Self.journaled { try await orchestrator.tokens() }
            return Self.json(["tokens": .array(try tokens.map(Self.shown))])
        }
        api.post("tokens/revoke") { [orchestrator] request, context in
            let order = try await Self.body(RevokeOrder.self, of: request)
            let person = context.caller.requester(claimed: nil)
            let reply = try await Self.journaled {
                try await orchestrator.revokeToken(
                    order.tokenID, reason: order.reason ?? "", by: person)
            }
            return try Self.answer(reply)
        }
    }

    private func create(_ order: TokenOrder, by caller: Caller) async throws -> Response {
        let person = caller.requester(claimed: nil)
        let owner = order.owner ?? person
        let secret = "continuity_" + base64URL(randomBytes(32))
        let now = nowMs()
        let token = AccessToken(
            name: order.name, owner: owner, createdBy: person,
            // Who knows the maker's credential can make one in their name.
            knownBy: Set([person] + caller.knownBy).sorted(), role: order.role,
            clusters: order.clusters ?? [], sha256: hexString(SHA256.digest(Array(secret.utf8))),
            createdAtMs: now, expiresAtMs: now + order.expiresInS * 1000)
        let reply = try await Self.journaled { try await orchestrator.createToken(token) }
        guard case .token(let made) = reply else { return try Self.answer(reply) }
        guard case .object(var members) = try Self.shown(made) else { return Self.json([:]) }
        // The only time that it is ever said.
        members["token"] = .string(secret)
        return Self.json(.object(members), status: .created)
    }

    static func shown(_ token: AccessToken) throws -> JSONValue {
        guard case .object(var members) = try JSONValue(encoding: token) else { return .null }
        members["sha256"] = nil
        return .object(members)
    }
}
