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

    /// It is about the token that is shown, and says nothing more.
    private struct ClaimOrder: Decodable {}

    static let tokenSecondsMax: Int64 = 366 * 86_400

    func addTokenRoutes(to api: RouterGroup<APIContext>) {
        api.get("whoami") { [rules] _, context in
            let caller = context.caller
            var members: [String: JSONValue] = [
                "name": .string(caller.name), "credential": .string(caller.credential),
                "role": .string(caller.role?.rawValue ?? "none"),
                "clusters": .array(caller.clusters.sorted().map { .string($0.rawValue) }),
            ]
            if let others = caller.knowers(rules), !others.isEmpty {
                members["known_by"] = .array(others.map { .string($0) })
            }
            if let limit = caller.approvalLimit(rules) { members["approvals"] = .string(limit) }
            return Self.json(.object(members))
        }
        api.post("tokens") { [self] request, context in
            let order = try Self.body(TokenOrder.self, of: context)
            return try await create(order, by: context.caller)
        }
        api.get("tokens") { [orchestrator] _, _ in
            let tokens = try await Self.journaled { try await orchestrator.tokens() }
            return Self.json(["tokens": .array(try tokens.map(Self.shown))])
        }
        api.post("tokens/revoke") { [orchestrator] request, context in
            let order = try Self.body(RevokeOrder.self, of: context)
            let person = context.caller.requester(claimed: nil)
            let reply = try await Self.journaled {
                try await orchestrator.revokeToken(
                    order.tokenID, reason: order.reason ?? "", by: person)
            }
            return try Self.answer(reply)
        }
        api.post("tokens/claim") { [self] request, context in
            _ = try Self.body(ClaimOrder.self, of: context)
            return try await claim(
                by: context.caller, from: context.channel.remoteAddress?.ipAddress ?? "unknown")
        }
    }

    private func claim(by caller: Caller, from address: String) async throws -> Response {
        guard let id = caller.tokenID else {
            throw Problem(
                .conflict, "no-token",
                "only a token of 'continuity token create' can be claimed: a certificate is its "
                    + "owner's alone already, the token of token_file nobody's")
        }
        let secret = Self.newSecret()
        let reply = try await Self.journaled {
            try await orchestrator.claimToken(
                TokenClaim(
                    tokenID: id, sha256: Self.digest(of: secret), address: address,
                    ownerHasCertificate: rules.people.contains { $0.name == caller.name }))
        }
        return try Self.told(reply, secret)
    }

    private static func newSecret() -> String { "continuity_" + base64URL(randomBytes(32)) }

    private static func digest(of secret: String) -> String {
        hexString(SHA256.digest(Array(secret.utf8)))
    }

    /// The only time that a secret is ever said.
    private static func told(_ reply: Reply, _ secret: String) throws -> Response {
        guard case .token(let made) = reply else { return try answer(reply) }
        guard case .object(var members) = try shown(made) else { return json([:]) }
        members["token"] = .string(secret)
        return json(.object(members), status: .created)
    }

    private func create(_ order: TokenOrder, by caller: Caller) async throws -> Response {
        let person = caller.requester(claimed: nil)
        let owner = order.owner ?? person
        try checkOwner(order.owner)
        let secret = Self.newSecret()
        let now = nowMs()
        let token = AccessToken(
            name: order.name, owner: owner, createdBy: person,
            // Who knows the maker's credential can make one in their name.
            knownBy: Set([person] + caller.knownBy).sorted(), role: order.role,
            clusters: order.clusters ?? [], sha256: Self.digest(of: secret),
            createdAtMs: now, expiresAtMs: now + order.expiresInS * 1000)
        let reply = try await Self.journaled { try await orchestrator.createToken(token) }
        return try Self.told(reply, secret)
    }

    /// A name that is nobody's, or that differs from a person's by case alone, would be taken for
    /// somebody else's.
    private func checkOwner(_ owner: String?) throws {
        guard let owner else { return }
        let lower = owner.lowercased()
        guard lower != Principal.anybody else {
            throw Problem(
                .conflict, "bad-owner",
                "'\(owner)' is the name of whoever holds the token of token_file; write the "
                    + "person's own name")
        }
        if let person = rules.people.map(\.name).first(where: {
            $0 != owner && $0.lowercased() == lower
        }) {
            throw Problem(
                .conflict, "bad-owner",
                "the configuration knows '\(person)', and '\(owner)' differs from it by case "
                    + "alone: write the same name for the same person")
        }
    }

    static func shown(_ token: AccessToken) throws -> JSONValue {
        guard case .object(var members) = try JSONValue(encoding: token) else { return .null }
        members["sha256"] = nil
        return .object(members)
    }
}
