import ContinuityCore
import Testing

/// The initial secret is changed by whom it is for, and then nobody else knows it.
@Suite struct TokenClaimTests {
    private struct Unexpected: Error {
        var what: String
    }

    private static let first = String(repeating: "a", count: 64)
    private static let second = String(repeating: "b", count: 64)
    private static let third = String(repeating: "c", count: 64)

    private func token(
        _ owner: String, named name: String = "laptop", by maker: String = "ada",
        knownBy: [String]? = ["ada"], sha256: String = first, _ world: TestWorld
    ) -> AccessToken {
        AccessToken(
            name: name, owner: owner, createdBy: maker, knownBy: knownBy, role: .operator,
            clusters: ["demo"], sha256: sha256, createdAtMs: world.now.utcMs,
            expiresAtMs: world.now.utcMs + 60_000)
    }

    private func claim(
        _ world: inout TestWorld, _ id: TokenID, as sha256: String, hasCertificate: Bool = false
    ) -> Reply? {
        world.step(
            .tokenClaimed(
                TokenClaim(
                    tokenID: id, sha256: sha256, address: "192.0.2.7",
                    ownerHasCertificate: hasCertificate)))
    }

    private func made(_ reply: Reply?) throws -> AccessToken {
        guard case .token(let token)? = reply else {
            throw Unexpected(what: "\(String(describing: reply))")
        }
        return token
    }

    private func isRefused(_ reply: Reply?) -> Bool {
        if case .tokenRefused? = reply { true } else { false }
    }

    @Test func oneEntryEndsTheOldAndMakesOneThatItsOwnerAloneKnows() throws {
        var world = TestWorld()
        let old = token("bob", world)
        world.step(.tokenCreated(old))
        world.nowMs += 1000
        let before = world.journal.count
        let new = try made(claim(&world, old.tokenID, as: Self.second))
        #expect(world.journal.count == before + 1)
        let entry = try #require(world.journal.last)
        #expect(entry.kind == "token_claimed" && entry.actor == "bob")
        guard case .tokenClaimed(let body) = try JournalBody(of: entry) else {
            throw Unexpected(what: entry.kind)
        }
        #expect(body.address == "192.0.2.7" && body.token == new)
        #expect(new.otherHolders.isEmpty && new.knownBy == ["bob"] && new.createdBy == "bob")
        #expect(new.claimedFrom == old.tokenID && new.name == old.name)
        #expect(new.role == old.role && new.clusters == old.clusters)
        #expect(new.expiresAtMs == old.expiresAtMs, "it does not live longer")
        try world.restart(keeping: world.journal.count)
        let tokens = world.orchestrator.state.tokens
        #expect(tokens[old.tokenID]?.isValid(atMs: world.now.utcMs) == false)
        #expect(tokens[new.tokenID]?.isValid(atMs: world.now.utcMs) == true)

        // Who comes second learns of it; the owner may change it again and again.
        #expect(isRefused(claim(&world, old.tokenID, as: Self.third)))
        let again = try made(claim(&world, new.tokenID, as: Self.third))
        #expect(again.otherHolders.isEmpty && again.claimedFrom == new.tokenID)
        #expect(isRefused(claim(&world, again.tokenID, as: Self.second)), "a digest seen before")
        world.nowMs += 60_000
        #expect(isRefused(claim(&world, again.tokenID, as: String(repeating: "d", count: 64))))
    }

    /// Otherwise its maker could claim a second token of somebody who goes on with the first.
    @Test func aSecondTokenIsNotTheOwnersAloneBehindTheirBack() throws {
        var world = TestWorld()
        let one = token("bob", named: "one", world)
        let two = token("bob", named: "two", sha256: Self.second, world)
        world.step(.tokenCreated(one))
        world.step(.tokenCreated(two))
        let own = try made(claim(&world, one.tokenID, as: Self.third))
        #expect(own.otherHolders.isEmpty)
        let other = try made(claim(&world, two.tokenID, as: String(repeating: "d", count: 64)))
        #expect(other.otherHolders == ["ada"], "it counts as known to its maker still")
        // When the one that was bob's alone has ended, this one can become it.
        world.step(.tokenRevoked(own.tokenID, reason: "lost", by: "ada"))
        let last = try made(claim(&world, other.tokenID, as: String(repeating: "e", count: 64)))
        #expect(last.otherHolders.isEmpty)
    }

    @Test func whoHasACertificateNeedsNone() throws {
        var world = TestWorld()
        let old = token("bob", world)
        world.step(.tokenCreated(old))
        let new = try made(claim(&world, old.tokenID, as: Self.second, hasCertificate: true))
        #expect(new.otherHolders == ["ada"])
        let own = token("mia", by: "mia", knownBy: ["mia"], sha256: Self.third, world)
        world.step(.tokenCreated(own))
        let changed = try made(
            claim(
                &world, own.tokenID, as: String(repeating: "d", count: 64), hasCertificate: true))
        #expect(changed.otherHolders.isEmpty, "she made it herself")
    }

    @Test func anybodysTokenStaysAnybodys() throws {
        var world = TestWorld()
        let anybody = token("bootstrap", by: "bootstrap", knownBy: ["bootstrap"], world)
        world.step(.tokenCreated(anybody))
        #expect(isRefused(claim(&world, anybody.tokenID, as: Self.second)))
        #expect(isRefused(claim(&world, "tok-000000000000", as: Self.second)))
    }

    // MARK: Whether there are enough people

    private func person(
        _ name: String, _ knownBy: [String]? = nil, groups: [String] = []
    ) -> Principal {
        Principal(actor: name, person: name, knownBy: knownBy, groups: groups)
    }

    @Test func tooFewPeopleAreCountedAsApprovalsCountThem() {
        let ada = person("ada")
        let bob = person("bob")
        let byEve = [person("bob", ["eve"]), person("carl", ["eve"])]
        let one = ApprovalPolicy(failover: 1)
        func isShort(
            _ policy: ApprovalPolicy, _ people: [Principal], links: [Principal] = []
        ) -> Bool {
            policy.shortage(requesters: people, approvers: people + links) != nil
        }
        #expect(isShort(one, []) && isShort(one, [ada]) && isShort(one, [ada, ada]))
        #expect(!isShort(one, [ada, bob]))
        #expect(isShort(one, byEve), "two tokens that one person made")
        #expect(isShort(one, byEve + [person("eve")]))
        #expect(!isShort(one, byEve + [ada]))
        #expect(isShort(one, [ada, person("bootstrap"), person("bob", ["bootstrap"])]))
        #expect(!isShort(one, [person("ada", ["eve"]), person("bob", ["mia"])]))
        // A link answers, and asks for nothing.
        #expect(!isShort(one, [ada], links: [bob]))
        #expect(isShort(one, [ada], links: [ada]))
        #expect(!isShort(one, [bob], links: [bob, ada]))
        // A switchover counts too, and a policy that asks nobody is never short.
        #expect(isShort(ApprovalPolicy(failover: 0, switchover: 2), [ada, bob]))
        #expect(!isShort(ApprovalPolicy(failover: 0, switchover: 0), []))
        // Who asks may be anybody, who approves must stand in a group.
        let sre = ApprovalPolicy(failover: 1, groups: ["sre"])
        #expect(isShort(sre, [ada, bob]))
        #expect(isShort(sre, [person("carl", groups: ["sre"])]))
        #expect(!isShort(sre, [ada, person("carl", groups: ["sre"])]))
        let short = one.shortage(requesters: byEve, approvers: byEve) ?? ""
        #expect(short.contains("continuity token claim"), "\(short)")
    }

    @Test func aThousandTokensAreCountedInNoTime() {
        let many = (0..<1000).map { person("p\($0)", ["eve"]) }
        let five = ApprovalPolicy(failover: 5)
        #expect(five.shortage(requesters: many, approvers: many) != nil)
        let people = many + (0..<6).map { person("q\($0)") }
        #expect(five.shortage(requesters: people, approvers: people) == nil)
    }
}
