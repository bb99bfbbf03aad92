import ContinuityCore
import ContinuityNode
import Foundation
import Testing

private func at(_ milliseconds: Int64) -> BootInstant { BootInstant(milliseconds: milliseconds) }

/// What a node decides, in virtual time.
struct NodeRuleTests {
    private func command(
        _ name: AgentCommand.Name, key: OperationKey = "k", epoch: Int64 = 5,
        instance: String? = nil, leaseMs: Int64? = nil
    ) -> AgentCommand {
        AgentCommand(
            key: key, clusterID: "c", nodeID: "n", epoch: epoch, instanceID: instance, name: name,
            leaseMs: leaseMs, timeoutMs: 1000)
    }

    private func admit(
        _ ledger: inout Ledger, _ command: AgentCommand, at now: Int64 = 0
    ) -> Ledger.Admission {
        ledger.admit(command, to: "c", "n", at: at(now))
    }

    private func give(
        _ ledger: inout Ledger, to node: NodeID = "p", epoch: Int64 = 5, instance: String? = nil,
        lengthMs: Int64 = 100, voters: [NodeID]? = nil, at now: Int64 = 0
    ) -> Ledger.Refusal? {
        ledger.give(
            PromiseRequest(
                clusterID: "c", nodeID: node, epoch: epoch, instanceID: instance,
                promiseMs: lengthMs, voters: voters),
            by: "n", isPrimary: false, kernelBootID: "boot", utcMs: 0, at: at(now))
    }

    private func reloaded(_ ledger: Ledger) throws -> Ledger {
        try JSONDecoder().decode(Ledger.self, from: JSONEncoder().encode(ledger))
    }

    // MARK: Orders

    @Test(arguments: [AgentCommand.Name.promote, .restart])
    func whatWasBegunIsInDoubtForTheNextAgent(_ name: AgentCommand.Name) throws {
        var ledger = Ledger()
        #expect(admit(&ledger, command(name)) == .run)
        ledger.begin(command(name))
        var next = try reloaded(ledger)
        #expect(next.underWay == "k")
        next.takeOver()
        guard case .remembered(let result) = admit(&next, command(name, epoch: 6)) else {
            Issue.record("an order that was begun was begun again")
            return
        }
        #expect(result.outcome == .inDoubt)
        next.remember(CommandResult(key: "k", outcome: .succeeded))
        #expect(next.result(of: "k")?.outcome == .succeeded, "its end replaces that it was begun")
    }

    @Test func aKnownKeyIsAnsweredBeforeItsEpochIsLookedAt() {
        var ledger = Ledger()
        #expect(admit(&ledger, command(.promote)) == .run)
        ledger.begin(command(.promote))
        ledger.remember(CommandResult(key: "k", outcome: .succeeded))
        ledger.raise(to: Leadership(epoch: 9))
        #expect(
            admit(&ledger, command(.promote))
                == .remembered(CommandResult(key: "k", outcome: .succeeded)))
    }

    @Test func everyRefusalOfAPromotionOrRestartIsForGood() throws {
        var ledger = Ledger()
        ledger.raise(to: Leadership(epoch: 9))
        for (name, key) in [(AgentCommand.Name.promote, "a"), (.restart, "b")] {
            guard case .refused = admit(&ledger, command(name, key: OperationKey(key))) else {
                Issue.record("a stale epoch was obeyed")
                return
            }
        }
        var next = try reloaded(ledger)
        for (name, key) in [(AgentCommand.Name.promote, "a"), (.restart, "b")] {
            let again = admit(&next, command(name, key: OperationKey(key), epoch: 9))
            guard case .remembered(let result) = again else {
                Issue.record("\(name) was refused and then run")
                return
            }
            #expect(result.outcome == .refused)
        }
        guard case .refused = admit(&next, command(.prepare, key: "c")),
            admit(&next, command(.prepare, key: "c", epoch: 9)) == .run
        else {
            Issue.record("the refusal of an order that makes no primary is kept")
            return
        }
    }

    @Test func aPromotionOfUnknownEndCountsAsOneForAWhile() {
        var watch = PromotionWatch()
        watch.begin(until: at(1000))
        #expect(watch.guardDeadline(graceMs: 500, at: at(0)) == at(500))
        #expect(watch.guardDeadline(graceMs: 500, at: at(1400)) == at(1500), "bounded")
        watch.end(isSettled: false, at: at(1000))
        #expect(watch.mayYetPromote(at: at(1001)))
        #expect(watch.guardDeadline(graceMs: 500, at: at(1001)) == at(1501))
        #expect(!watch.mayYetPromote(at: at(1000 + PromotionWatch.doubtMs)))
        watch.doubt(from: at(50_000))
        watch.settle()
        #expect(!watch.mayYetPromote(at: at(50_001)), "it was seen stopped")
        watch.begin(until: at(60_000))
        watch.end(isSettled: true, at: at(55_000))
        #expect(!watch.mayYetPromote(at: at(55_001)))
    }

    // MARK: The role

    @Test func aReadingThatDoesNotTellTheRoleTakesNothingBack() {
        var tracker = ServiceTracker()
        func probe(_ role: ServiceReport.Role) {
            tracker.probe(
                ProbeOutcome(
                    failure: nil,
                    reading: StatusReading(
                        role: role, positionBytes: 7, lagMs: nil, streaming: false)))
        }
        probe(.primary)
        probe(.unknown)
        #expect(tracker.isPrimary)
        probe(.secondary)
        #expect(!tracker.isPrimary)
        probe(.primary)
        tracker.stopped(detail: "gone")
        probe(.unknown)
        #expect(tracker.report.role == .unknown, "another process: nothing is known of it")
        var restarted = ServiceTracker(mayBePrimary: true)
        restarted.probe(
            ProbeOutcome(
                failure: nil,
                reading: StatusReading(
                    role: .unknown, positionBytes: nil, lagMs: nil, streaming: false)))
        #expect(restarted.isPrimary, "an agent before it held the lease")
    }

    // MARK: Leases and promises

    @Test func noLeaseAgainstOnesOwnPromiseOrWhileFenced() throws {
        var ledger = Ledger()
        #expect(ledger.leaseBlock(at: at(0)) == nil)
        #expect(give(&ledger) == nil)
        #expect(ledger.leaseBlock(at: at(99))?.contains("promised to p") == true)
        #expect(ledger.leaseBlock(at: at(100)) == nil)
        guard
            case .refused = admit(&ledger, command(.restart, key: "r", leaseMs: 1000), at: 50)
        else {
            Issue.record("a restart with a lease makes a primary")
            return
        }
        ledger.fence(Fenced(sinceUTCMs: 1, isByLease: true, wasPrimary: true))
        #expect(try reloaded(ledger).leaseBlock(at: at(100))?.contains("fenced") == true)
        ledger.begin(command(.restart, key: "s"))
        #expect(ledger.leaseBlock(at: at(100)) == nil, "an order starts it")
    }

    @Test func aSecondInstanceOfOneEpochIsNotObeyed() {
        var ledger = Ledger()
        #expect(admit(&ledger, command(.prepare, instance: nil)) == .run)
        #expect(
            admit(&ledger, command(.prepare, key: "b", instance: "A")) == .run,
            "the first that names itself")
        for other: String? in ["B", nil] {
            guard
                case .refused(let reason) = admit(
                    &ledger, command(.prepare, key: "c", instance: other))
            else {
                Issue.record("two leaders of one epoch were obeyed")
                return
            }
            #expect(reason.contains("instance A"))
        }
        #expect(admit(&ledger, command(.prepare, key: "d", epoch: 6, instance: "B")) == .run)
        #expect(ledger.leadership == Leadership(epoch: 6, instanceID: "B"))
    }

    @Test func aStaleAskerIsToldTheLeadership() {
        var ledger = Ledger()
        ledger.raise(to: Leadership(epoch: 6, instanceID: "B"))
        guard case .leadership? = give(&ledger, epoch: 5) else {
            Issue.record("a stale epoch must be named")
            return
        }
        guard case .leadership? = give(&ledger, epoch: 6, instance: "A") else {
            Issue.record("another instance must be named")
            return
        }
        #expect(give(&ledger, epoch: 6, instance: "B") == nil)
    }

    @Test func noPromiseByASetThatMissesAVoter() {
        var ledger = Ledger()
        let reply = ReportReply(
            epoch: 5, intervalMs: 1000, jitterPermille: 0, leaseMs: nil, peers: [],
            promiseRule: PromiseRule(voters: ["n", "p", "q", "new"], needed: 2))
        let news = [ledger.hear(reply, by: "n"), ledger.hear(reply, by: "n")]
        #expect(news == [true, false], "the second time there is nothing new to keep")
        #expect(give(&ledger, voters: ["n", "p", "q"])?.detail.contains("new is a voter") == true)
        #expect(give(&ledger, voters: ["p", "q", "new"])?.detail.contains("not among") == true)
        #expect(give(&ledger, voters: ["n", "new", "p", "q", "newer"]) == nil)
        #expect(give(&ledger, voters: nil) == nil, "an older asker needs all its peers")
    }

    @Test func noPromiseToASecondaryAndNoneLongerThanALease() {
        var ledger = Ledger()
        ledger.raise(to: Leadership(epoch: 5))
        func peer(_ id: NodeID, _ isPrimary: Bool?) -> PeerAddress {
            PeerAddress(
                nodeID: id, agentURL: "http://x", serviceAddress: "x:1", isPrimary: isPrimary)
        }
        _ = ledger.hear(
            ReportReply(
                epoch: 5, intervalMs: 1000, jitterPermille: 0, leaseMs: nil,
                peers: [peer("p", true), peer("q", false)], promiseLimitMs: 3400), by: "n")
        #expect(give(&ledger, to: "q")?.detail.contains("secondary") == true)
        #expect(give(&ledger, to: "q", epoch: 6) == nil, "a later leadership's word is not known")
        ledger = Ledger()
        _ = ledger.hear(
            ReportReply(
                epoch: 0, intervalMs: 1000, jitterPermille: 0, leaseMs: nil, peers: [],
                promiseLimitMs: 3400), by: "n")
        #expect(give(&ledger, lengthMs: 3401)?.detail.contains("3400") == true)
        #expect(give(&ledger, lengthMs: 3400) == nil)
    }

    @Test func enoughPromisesExtendALeaseOnce() {
        func round(_ rule: PromiseRule?) -> PromiseRound {
            PromiseRound(
                from: "a", of: "c", obeying: Leadership(epoch: 1), peers: ["b", "c", "w"],
                rule: rule, leaseMs: 3000, at: at(7))
        }
        var all = round(nil)
        #expect(all.request.voters == ["a", "b", "c", "w"])
        let given = [all.promise(of: "b"), all.promise(of: "c"), all.promise(of: "w")]
        #expect(given == [false, false, true])
        var some = round(PromiseRule(voters: ["a", "b", "c"], needed: 1))
        #expect(some.asked == ["b", "c"])
        let counted = [some.promise(of: "w"), some.promise(of: "b"), some.promise(of: "c")]
        #expect(counted == [false, true, false], "no voter, enough, it went on already")
        #expect(some.leaseMs(of: 3000) == 3000)
        #expect(some.request.promiseMs * 9 / 10 >= 3000)
        #expect(round(PromiseRule(voters: ["a"], needed: 0)).needed == 0)
    }

    // MARK: State that cannot be true

    @Test(arguments: [
        ("boot 5000 held x 3000", 5000), ("boot 5001 held x 3000", 2000),
        ("boot 3600000 held x 3000", 2000), ("boot 4000 held x 0", 2000),
        ("boot 4000 held x 86400001", 2000), ("boot 4000 held x -5", 2000),
        ("boot -1 held x 3000", 2000), ("other 4000 held x 3000", 2000),
        ("unknown 4000 held x 3000", 2000),
    ])
    func aLeaseThatCannotBeTrueHasEnded(_ fields: String, _ end: Int64) throws {
        let boot = fields.hasPrefix("unknown") ? "unknown" : "boot"
        let found = try #require(
            LeaseRecord.inherited(
                from: "continuity-lease 1 \(fields)", kernelBootID: boot, now: at(2000)))
        guard case .held(let until, _) = found.lease else {
            Issue.record("it was held")
            return
        }
        #expect(until == at(end))
    }

    @Test(arguments: [("", 4000), (" raw", 3700)])
    func aLeaseOfAnOlderAgentIsBroughtOntoThisClock(_ clock: String, _ end: Int64) throws {
        let found = try #require(
            LeaseRecord.inherited(
                from: "continuity-lease 1 boot 3700 held x 3000\(clock)", kernelBootID: "boot",
                now: at(2000), slewedNow: at(1700)))
        #expect(found.lease == .held(until: at(end), durationMs: 3000))
    }

    @Test func aPromiseThatCannotBeTrueIsKeptAtItsFullLength() throws {
        func rebased(
            _ until: Int64, _ length: Int64, _ boot: String, now: Int64, clock: String = "raw"
        ) throws -> Ledger {
            let text = """
                {"highest_epoch":1,"results":[],"clock":"\(clock)","promise":{"to":"p","epoch":1,"until_utc_ms":0,
                "until_boot_ms":\(until),"kernel_boot_id":"\(boot)","length_ms":\(length)},
                "denial":{"to":"q","until_boot_ms":\(until),"kernel_boot_id":"\(boot)",
                "length_ms":\(length)}}
                """
            var ledger = try JSONDecoder().decode(Ledger.self, from: Data(text.utf8))
            ledger.rebase(kernelBootID: boot == "unknown" ? boot : "boot", now: at(now))
            return ledger
        }
        for (until, length, boot, end): (Int64, Int64, String, Int64) in [
            (150, 100, "boot", 150), (3_600_000, 100, "boot", 200), (150, 100, "old", 200),
            (150, 100, "unknown", 200), (150, -1, "old", 100 + PromiseRequest.longestMs),
        ] {
            let ledger = try rebased(until, length, boot, now: 100)
            #expect(ledger.promise?.untilBootMs == end, "\(until) \(length) \(boot)")
            if length > 0 { #expect(ledger.denial?.untilBootMs == end) }
        }
        let older = try rebased(150, 100, "boot", now: 100, clock: "slewed")
        #expect(older.promise?.untilBootMs == 200, "of another clock")
        let denial = try rebased(150, 1 << 60, "old", now: 0).denial
        #expect(denial?.untilBootMs == Ledger.Denial.longestMs)
    }

    // MARK: Clocks

    @Test func aMachineThatStoodStillIsNoticed() {
        var stalls = StallDetector()
        func heard(_ theirs: Int64, sent: Int64, now: Int64, _ instance: String = "A") -> Int64 {
            stalls.heard(theirs, from: instance, sentAt: at(sent), at: at(now))
        }
        #expect(heard(1_000_000, sent: 0, now: 20) == 0)
        #expect(heard(1_001_000, sent: 990, now: 1010) == 0)
        #expect(heard(1_002_100, sent: 1990, now: 2010) == 0, "a tenth is drift")
        #expect(heard(1_002_050, sent: 1900, now: 2020) == 0, "overtaken")
        // Four seconds passed there, one here.
        let lost = heard(1_006_100, sent: 2990, now: 3010)
        #expect(lost >= 3000 && lost < 4000)
        #expect(heard(1_007_100, sent: 3990, now: 4010) == 0)
        #expect(heard(9_000_000, sent: 4990, now: 5010, "B") == 0, "another clock")
        var lease = Lease(agentStartedAt: at(0))
        lease.grant(milliseconds: 3000, from: at(2000))
        lease.shorten(byMs: lost)
        guard case .fence = lease.check(isPrimary: true, graceMs: 500, now: at(3010)) else {
            Issue.record("its lease ended while it stood still")
            return
        }
        #expect((lease.heldUntil ?? at(0)) <= at(3010), "for the guard, too")
    }

    // MARK: First contact

    @Test func aServiceThatTheFirstAgentFindsIsNotFencedBeforeALease() {
        var lease = Lease(agentStartedAt: at(0))
        lease.found(primary: true)
        lease.found(primary: false)
        _ = lease.check(isPrimary: true, graceMs: 500, now: at(10))
        guard case .leave = lease.check(isPrimary: true, graceMs: 500, now: at(10_000)) else {
            Issue.record("a healthy service was stopped")
            return
        }
        #expect(lease.deadline(isPrimary: true, graceMs: 500, now: at(10_000)) == nil)
        lease.grant(milliseconds: 1000, from: at(20_000))
        guard case .fence = lease.check(isPrimary: true, graceMs: 500, now: at(21_000)) else {
            Issue.record("from the first lease on it is a primary like others")
            return
        }
        var other = Lease(agentStartedAt: at(0))
        other.found(primary: false)
        _ = other.check(isPrimary: true, graceMs: 500, now: at(20_000))
        guard case .fence = other.check(isPrimary: true, graceMs: 500, now: at(20_500)) else {
            Issue.record("one that becomes primary later needs a lease")
            return
        }
    }
}
