import ContinuityCore
import ContinuityNode
import Testing

@testable import ContinuityAgent

private func at(_ milliseconds: Int64) -> BootInstant { BootInstant(milliseconds: milliseconds) }

struct LeaseTests {
    @Test func countsFromTheSendingOfTheReport() {
        var lease = Lease(agentStartedAt: at(0))
        lease.grant(milliseconds: 3000, from: at(1000))
        #expect(lease.remainingMs(at: at(1500)) == 2500)
        #expect(
            lease.check(isPrimary: true, graceMs: 500, now: at(1500)) == .valid(until: at(4000)))
        #expect(
            lease.check(isPrimary: true, graceMs: 500, now: at(2600)) == .askPeers(until: at(4000)))
        guard case .fence = lease.check(isPrimary: true, graceMs: 500, now: at(4000)) else {
            Issue.record("an ended lease must fence")
            return
        }
    }

    @Test func aLateAnswerNeverShortensALease() {
        var lease = Lease(agentStartedAt: at(0))
        lease.grant(milliseconds: 3000, from: at(2000))
        lease.grant(milliseconds: 3000, from: at(1000))
        #expect(lease.remainingMs(at: at(2000)) == 3000)
    }

    @Test func aPrimaryWithoutALeaseIsFencedAfterItsProvisionalTime() {
        var lease = Lease(agentStartedAt: at(0))
        #expect(
            lease.check(isPrimary: true, graceMs: 500, now: at(10)) == .valid(until: at(10_000)))
        #expect(lease.remainingMs(at: at(20)) == 0, "provisional time is no lease")
        guard case .fence = lease.check(isPrimary: true, graceMs: 500, now: at(10_000)) else {
            Issue.record("provisional time must end")
            return
        }
    }

    @Test func aPrimaryThatAppearsLaterGetsOnlyTheGrace() {
        var lease = Lease(agentStartedAt: at(0))
        #expect(
            lease.check(isPrimary: true, graceMs: 500, now: at(60_000)) == .valid(until: at(60_500))
        )
    }

    @Test func anEndedLeaseOfASecondaryIsForgotten() {
        var lease = Lease(agentStartedAt: at(0))
        lease.grant(milliseconds: 1000, from: at(20_000))
        #expect(lease.check(isPrimary: false, graceMs: 500, now: at(30_000)) == .idle)
        #expect(
            lease.check(isPrimary: true, graceMs: 500, now: at(30_001)) == .valid(until: at(30_501))
        )
    }

    @Test func nothingRevivesALeaseWhileItsServiceIsStopped() {
        var lease = Lease(agentStartedAt: at(0))
        lease.grant(milliseconds: 3000, from: at(1000))
        lease.suspend()
        lease.grant(milliseconds: 3000, from: at(1100))
        #expect(lease.remainingMs(at: at(1200)) == 0)
        lease.resume()
        #expect(lease.remainingMs(at: at(1200)) == 0)
    }
}

struct LedgerTests {
    private func command(
        _ name: AgentCommand.Name, key: OperationKey = "k", epoch: Int64
    ) -> AgentCommand {
        AgentCommand(
            key: key, clusterID: "c", nodeID: "n", epoch: epoch, name: name, timeoutMs: 1)
    }

    private func request(
        from node: NodeID, epoch: Int64, lengthMs: Int64 = 100, voters: [NodeID]? = nil
    ) -> PromiseRequest {
        PromiseRequest(
            clusterID: "c", nodeID: node, epoch: epoch, promiseMs: lengthMs, voters: voters)
    }

    private func give(
        _ ledger: inout Ledger, to node: NodeID, epoch: Int64, lengthMs: Int64 = 100,
        voters: [NodeID]? = nil, isPrimary: Bool = false, at now: Int64 = 0
    ) -> Ledger.Refusal? {
        ledger.give(
            request(from: node, epoch: epoch, lengthMs: lengthMs, voters: voters), by: "n",
            isPrimary: isPrimary, kernelBootID: "boot", utcMs: 0, at: at(now))
    }

    @Test func refusesALowerEpochAndAnotherNode() {
        var ledger = Ledger()
        #expect(ledger.admit(command(.demote, epoch: 5), to: "c", "n", at: at(0)) == .run)
        guard
            case .refused(let reason) = ledger.admit(
                command(.promote, key: "k2", epoch: 4), to: "c", "n", at: at(0))
        else {
            Issue.record("a stale epoch must be refused")
            return
        }
        #expect(reason.contains("stale"))
        guard
            case .refused = ledger.admit(
                command(.promote, key: "k3", epoch: 6), to: "c", "other", at: at(0))
        else {
            Issue.record("another node's command must be refused")
            return
        }
        #expect(ledger.highestEpoch == 5, "a refused command raises nothing")
    }

    @Test func remembersResultsUpToItsLimit() {
        var ledger = Ledger()
        for number in 0..<(Ledger.resultLimit + 10) {
            ledger.remember(CommandResult(key: OperationKey("k\(number)"), outcome: .succeeded))
        }
        #expect(ledger.results.count == Ledger.resultLimit)
        #expect(
            ledger.admit(command(.demote, key: "k0", epoch: 1), to: "c", "n", at: at(0)) == .run)
        let last = OperationKey("k\(Ledger.resultLimit + 9)")
        #expect(
            ledger.admit(command(.demote, key: last, epoch: 1), to: "c", "n", at: at(0))
                == .remembered(CommandResult(key: last, outcome: .succeeded)))
    }

    @Test func aPromiseHoldsBackAPromotionUntilItEnds() {
        var ledger = Ledger()
        #expect(give(&ledger, to: "p", epoch: 3) == nil)
        guard case .refused = ledger.admit(command(.promote, epoch: 9), to: "c", "n", at: at(99))
        else {
            Issue.record("a live promise must hold")
            return
        }
        #expect(
            ledger.admit(command(.promote, key: "k2", epoch: 9), to: "c", "n", at: at(100)) == .run)
    }

    /// Whoever ordered it was told that it did not happen, and may have acted on that: a late
    /// repetition of the same order must not make it happen after all. Found by simulation.
    @Test func aPromotionThatWasRefusedStaysRefused() {
        var ledger = Ledger()
        #expect(give(&ledger, to: "p", epoch: 3) == nil)
        guard case .refused = ledger.admit(command(.promote, epoch: 9), to: "c", "n", at: at(99)),
            case .remembered(let result) = ledger.admit(
                command(.promote, epoch: 9), to: "c", "n", at: at(100))
        else {
            Issue.record("a refused promotion was carried out later")
            return
        }
        #expect(result.outcome == .refused)
    }

    @Test func promisesOnlyWhenItMay() {
        var ledger = Ledger()
        #expect(give(&ledger, to: "p", epoch: 3, isPrimary: true) != nil)
        ledger.raise(to: Leadership(epoch: 4))
        #expect(give(&ledger, to: "p", epoch: 3) != nil, "its epoch is stale")
        #expect(give(&ledger, to: "p", epoch: 4) == nil)
        #expect(give(&ledger, to: "q", epoch: 4, lengthMs: 150, at: 50) != nil)
        #expect(give(&ledger, to: "p", epoch: 4, lengthMs: 10, at: 50) == nil)
        #expect(ledger.promise?.untilBootMs == 100, "a promise is never shortened")
    }

    /// It would fence a primary that has its role again, as soon as nobody leads. Seen by
    /// `make stall-table`.
    @Test func aDenialEndsWithItsRunOrItsTime() {
        var ledger = Ledger()
        ledger.deny(.init(to: "p", untilBootMs: 160, kernelBootID: "boot", lengthMs: 100))
        func refusal(of node: NodeID = "p", at now: Int64) -> String? {
            give(&ledger, to: node, epoch: 1, lengthMs: 1, at: now)?.detail
        }
        #expect(refusal(at: 159) != nil)
        var other = ledger
        #expect(give(&other, to: "q", epoch: 1, lengthMs: 1, at: 159) == nil)
        ledger.endDenial(reportSentAt: at(60))
        #expect(refusal(at: 159) != nil, "whoever answered that may not have known of it")
        ledger.endDenial(reportSentAt: at(61))
        #expect(refusal(at: 62) == nil)
        ledger.deny(.init(to: "p", untilBootMs: 160, kernelBootID: "boot", lengthMs: 100))
        #expect(refusal(at: 160) == nil)
    }

    @Test func afterARebootAPromiseIsWaitedOutInFull() {
        var ledger = Ledger()
        _ = give(&ledger, to: "p", epoch: 1, at: 899_900)
        ledger.rebase(kernelBootID: "next boot", now: at(10))
        #expect(ledger.promise?.untilBootMs == 110)
    }
}

struct CommandQueueTests {
    @Test func runsOneAtATimeInOrder() {
        var queue = CommandQueue<Int>()
        #expect(queue.submit(1, .ordinary) == .start(1))
        #expect(queue.submit(2, .ordinary) == .wait)
        #expect(queue.submit(3, .ordinary) == .wait)
        #expect(queue.finished(1) == 2)
        #expect(queue.finished(2) == 3)
        #expect(queue.finished(3) == nil)
    }

    @Test func aFenceStopsWhatRunsAndDropsWhatWaits() {
        var queue = CommandQueue<Int>()
        _ = queue.submit(1, .ordinary)
        _ = queue.submit(2, .ordinary)
        #expect(queue.submit(3, .fence) == .jump(cancel: 1, drop: [2]))
        #expect(queue.submit(4, .ordinary) == .wait, "an order after the fence waits for it")
        #expect(queue.finished(1) == 3)
        #expect(queue.submit(5, .fence) == .jump(cancel: nil, drop: [4]))
        #expect(queue.finished(3) == 5)
    }

    @Test func aNewerWordOnWhomToFollowReplacesAnOlderOne() {
        var queue = CommandQueue<Int>()
        #expect(queue.submit(1, .pointer) == .start(1))
        #expect(queue.submit(2, .pointer) == .jump(cancel: 1, drop: []))
        #expect(queue.submit(3, .ordinary) == .wait)
        #expect(queue.submit(4, .pointer) == .jump(cancel: 1, drop: [2]))
        #expect(queue.finished(1) == 3)
        #expect(queue.finished(3) == 4)
        #expect(queue.submit(5, .ordinary) == .wait, "a promotion waits for what it needs")
    }

    @Test func isBoundedButTakesAFence() {
        var queue = CommandQueue<Int>()
        for id in 0...CommandQueue<Int>.limit { _ = queue.submit(id, .ordinary) }
        guard case .refuse = queue.submit(100, .ordinary) else {
            Issue.record("the queue must be bounded")
            return
        }
        guard case .jump = queue.submit(101, .fence) else {
            Issue.record("a fence must get in")
            return
        }
    }
}

struct ToldFailuresTests {
    private func at(_ ms: Int64) -> BootInstant { BootInstant(milliseconds: ms) }

    /// Issue 15, 25: a removed node's agent logged each refusal, since each said another time.
    @Test func aRefusalThatDiffersInItsNumbersAloneIsToldOnce() {
        var told = ToldFailures()
        var count = 0
        for second in 0..<599 {
            let reason =
                second % 3 == 0
                ? "https://s: status 401, unauthorized"
                : "https://s: status 429, wait; try again in \(second % 300) s"
            if told.note([reason], at: at(Int64(second) * 1000)) { count += 1 }
        }
        #expect(count == 2, "each kind once")
        let isReminded = told.note(["https://s: status 401, unauthorized"], at: at(600_000))
        #expect(isReminded)
    }

    @Test func textsThatAreAlwaysNewDoNotFillTheLog() {
        var told = ToldFailures()
        var count = 0
        for number in 0..<10_000 {
            let letters = String(number, radix: 26).map { String($0) }.joined(separator: "_")
            if told.note([letters + String(repeating: "x", count: number % 97)], at: at(0)) {
                count += 1
            }
        }
        #expect(count <= 16)
    }
}

struct ServiceTrackerTests {
    private let primary = StatusReading(
        role: .primary, positionBytes: 7, lagMs: nil, streaming: false)

    @Test func failsAfterTwoFailuresInARowAndKeepsTheRole() {
        var tracker = ServiceTracker()
        tracker.probe(ProbeOutcome(failure: nil, reading: primary))
        tracker.probe(ProbeOutcome(failure: "no answer", reading: nil))
        #expect(tracker.report.state == .running)
        tracker.probe(ProbeOutcome(failure: "no answer", reading: nil))
        #expect(tracker.report.state == .failing)
        #expect(tracker.report.detail == "no answer")
        #expect(tracker.isPrimary, "what cannot be reached may still accept writes")
    }

    @Test func keepsThePositionOfAStoppedService() {
        var tracker = ServiceTracker()
        tracker.probe(ProbeOutcome(failure: nil, reading: primary))
        tracker.stopped(detail: "gone")
        #expect(tracker.report.positionBytes == 7)
        #expect(tracker.report.role == .unknown)
        #expect(!tracker.isPrimary)
        tracker.probe(ProbeOutcome(failure: "not yet", reading: nil))
        #expect(tracker.report.state == .failing, "it lives again, so it is not stopped")
    }

    /// Issue 15, 25: 24 s for a moment on a standby that had applied everything a second before.
    @Test func aLagIsNoLongerThanTheTimeSinceItHadCaughtUp() {
        var tracker = ServiceTracker()
        func lag(_ lagMs: Int64?, askedAtMs: Int64, tookMs: Int64 = 10) -> Int64? {
            let askedAt = BootInstant(milliseconds: askedAtMs)
            tracker.probed(
                ProbeOutcome(
                    failure: nil,
                    reading: StatusReading(
                        role: .secondary, positionBytes: 7, lagMs: lagMs, streaming: true)),
                askedAt: askedAt, at: askedAt + tookMs)
            return tracker.report.lagMs
        }
        #expect(lag(24_000, askedAtMs: 1000) == 24_000, "nothing is known from before")
        #expect(lag(0, askedAtMs: 2000) == 0)
        #expect(lag(24_000, askedAtMs: 3000) == 1010)
        #expect(lag(300, askedAtMs: 4000) == 300, "less than the bound")
        #expect(lag(60_000, askedAtMs: 42_000) == 40_010, "it has fallen behind in earnest")
        tracker.stopped(detail: "gone")
        #expect(lag(60_000, askedAtMs: 43_000) == 60_000, "another start, another history")
    }
}

extension ServiceTracker {
    /// A probe that takes no time, at the machine's start.
    mutating func probe(_ outcome: ProbeOutcome) {
        let start = BootInstant(milliseconds: 0)
        probed(outcome, askedAt: start, at: start)
    }
}
