import ContinuityCore
import ContinuityCrypto
import ContinuityTransport
import HTTPTypes
import NIOCore

/// Finds out who asks.
struct Authenticator: Sendable {
    let rules: AccessRules
    let peers: PeerRegistry
    let orchestrator: any OrchestratorPort
    let nowMs: @Sendable () -> Int64
    private let people: [String: AccessRules.Person]
    private let agents: [String: AccessRules.Agent]
    private let sharedDigest: [UInt8]?
    private static let scheme = "Bearer "

    init(
        rules: AccessRules, peers: PeerRegistry, orchestrator: any OrchestratorPort,
        nowMs: @escaping @Sendable () -> Int64
    ) {
        self.rules = rules
        self.peers = peers
        self.orchestrator = orchestrator
        self.nowMs = nowMs
        people = Dictionary(rules.people.map { ($0.identity, $0) }, uniquingKeysWith: { $1 })
        agents = Dictionary(rules.agents.map { ($0.identity, $0) }, uniquingKeysWith: { $1 })
        sharedDigest = rules.sharedToken.map { SHA256.digest($0) }
    }

    /// A token counts before a certificate: the machine's own may be on the connection as well.
    ///
    /// - Throws: ``Problem`` when what is shown is not good.
    func caller(_ headers: HTTPFields, _ channel: any Channel) throws -> Caller {
        if let header = headers[.authorization] { return try person(withHeader: header) }
        guard rules.tls != nil, let shown = peers.certificate(of: channel) else { return .nobody }
        let certificate = try PeerRegistry.current(shown, on: channel)
        guard let identity = Identity(certificate: certificate)?.description else {
            throw Problem(
                .forbidden, "wrong-identity",
                "the certificate must have one URI, such as continuity://person/ana")
        }
        if let agent = agents[identity] {
            try check(certificate, agent.pins)
            return Caller(
                kind: .agent(agent.cluster, agent.node), name: identity, credential: "certificate")
        }
        if let person = people[identity] {
            try check(certificate, person.pins)
            return Caller(
                kind: .person, name: person.name, credential: "certificate", role: person.role,
                clusters: Set(person.clusters))
        }
        throw Problem(
            .forbidden, "unknown-identity",
            "nobody here is \(identity); see 'people' in the server's configuration")
    }

    /// What is shown, before it is judged.
    func shown(_ headers: HTTPFields, _ channel: any Channel) -> ShownCredential {
        if let header = headers[.authorization] {
            let digest = SHA256.digest(Array(header.dropFirst(Self.scheme.count).utf8))
            let sha256 = hexString(digest)
            if let sharedDigest, constantTimeEqual(digest, sharedDigest) {
                return .token(sha256: sha256)
            }
            guard let token = orchestrator.token(sha256: sha256) else {
                return .unknownToken(sha256: sha256)
            }
            return token.isValid(atMs: nowMs())
                ? .token(sha256: sha256) : .endedToken(token.tokenID, owner: token.owner)
        }
        guard rules.tls != nil, let certificate = peers.certificate(of: channel) else {
            return .nothing
        }
        return .certificate(
            identity: Identity(certificate: certificate)?.description ?? "without an identity")
    }

    private func check(_ certificate: Certificate, _ pins: [Pin]) throws {
        guard pins.isEmpty || pins.contains(Pin(of: certificate)) else {
            throw Problem(
                .forbidden, "pin-mismatch",
                "the certificate's key is none of those that are pinned for it")
        }
    }

    private func person(withHeader header: String) throws -> Caller {
        let prefix = Self.scheme
        let unauthorized = Problem(
            .unauthorized, "unauthorized",
            "send a valid token as 'Authorization: Bearer …'; 'continuity token' makes them",
            headers: [.wwwAuthenticate: "Bearer"])
        guard header.hasPrefix(prefix) else { throw unauthorized }
        let digest = SHA256.digest(Array(header.dropFirst(prefix.count).utf8))
        if let sharedDigest, constantTimeEqual(digest, sharedDigest) {
            return Caller(
                kind: rules.tls == nil ? .shared : .person, name: Principal.anybody,
                credential: "shared token", role: .admin)
        }
        // Looked up by digest: how long that takes tells nothing of any secret.
        guard let token = orchestrator.token(sha256: hexString(digest)),
            token.isValid(atMs: nowMs())
        else { throw unauthorized }
        return Caller(
            kind: .person, name: token.owner, credential: "token \(token.tokenID)",
            role: token.role, clusters: Set(token.clusters), tokenID: token.tokenID,
            knownBy: token.otherHolders)
    }
}
