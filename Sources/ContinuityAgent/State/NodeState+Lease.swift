import ContinuityCore
import ContinuityNode
import Foundation
import Logging
import Synchronization

extension NodeState {
    // MARK: The lease

    /// Makes this agent's guard the one that the lease file names: an orphaned guard of an earlier
    /// agent ends then. Called once this agent's own guard answers, or cannot be had.
    func takeOverLease() {
        storage.withLock { storage in
            storage.leaseRecord.guardedBy = bootID
            if leaseFile.inherited != .never { write(&storage) }
            publishLease(&storage)
        }
    }

    /// When the guard has to fence if nothing newer is heard.
    func guardDeadline(now: BootInstant) -> BootInstant? {
        storage.withLock { deadline($0, now: now) }
    }

    private static func graceMs(_ storage: Storage) -> Int64 {
        let intervalMs = min(max(storage.reply?.intervalMs ?? 1000, 20), 60_000)
        return min(max(2 * intervalMs, 500), 2000)
    }

    /// How long a primary that appears without a lease is left alone. Counted from the last word
    /// of an orchestrator: one that has heard nothing for so long may have given the role to
    /// another node meanwhile.
    private static func graceMs(_ storage: Storage, now: BootInstant) -> Int64 {
        max(0, storage.contactAt + graceMs(storage) - now)
    }

    private func deadline(_ storage: Storage, now: BootInstant) -> BootInstant? {
        guard !storage.ledger.isUnleased, configuration.mode == .act else { return nil }
        let graceMs = Self.graceMs(storage)
        let held = storage.lease.deadline(
            isPrimary: storage.tracker.isPrimary, graceMs: Self.graceMs(storage, now: now),
            now: now)
        let promotion = storage.promotions.guardDeadline(graceMs: graceMs, at: now)
        guard let bounded = promotion else { return held }
        return max(held ?? bounded, storage.lease.heldUntil ?? bounded, bounded)
    }

    /// Tells the guard and the lease file what holds now. Neither waits.
    func publishLease(_ storage: inout Storage) {
        guardLink?.tell(deadline(storage, now: .now))
        var record = storage.leaseRecord
        record.until = storage.lease.heldUntil
        record.durationMs = storage.lease.lastDurationMs
        guard record != storage.leaseRecord else { return }
        storage.leaseRecord = record
        write(&storage)
    }

    private func write(_ storage: inout Storage) {
        leaseFile.write(storage.leaseRecord, isFirst: !storage.hasWrittenLease)
        storage.hasWrittenLease = true
    }

    func checkLease(now: BootInstant) -> (Lease.Verdict, next: BootInstant?) {
        return storage.withLock { storage in
            let isPrimary = storage.tracker.isPrimary
            if isPrimary, storage.ledger.fenced != nil, !storage.promotions.isUnderWay {
                return (
                    .fence(reason: "it was fenced, and something else than an order started it"),
                    nil
                )
            }
            guard !storage.ledger.isUnleased else { return (.idle, nil) }
            let report = storage.tracker.report
            let isSecondary =
                report.state == .running && report.role == .secondary
                && !storage.promotions.mayYetPromote(at: now)
            let verdict = storage.lease.check(
                isPrimary: isPrimary, isSecondary: isSecondary,
                graceMs: Self.graceMs(storage, now: now), now: now)
            publishLease(&storage)
            return (verdict, isPrimary ? storage.lease.nextCheck(after: now) : nil)
        }
    }

    /// By promises, or with an order.
    func grantLease(milliseconds: Int64, from start: BootInstant) {
        storage.withLock { storage in
            grant(milliseconds: milliseconds, from: start, &storage)
            publishLease(&storage)
        }
        guardNow.signal()
    }

    /// A lease against this node's own promise would be one of two at the same time.
    func grant(milliseconds: Int64, from start: BootInstant, _ storage: inout Storage) {
        if let reason = storage.ledger.leaseBlock(at: .now) {
            return logger.notice("a lease is not taken", metadata: ["reason": "\(reason)"])
        }
        storage.lease.grant(milliseconds: milliseconds, from: start)
    }

    /// A guest that its hypervisor paused finds its own clock where it was: the orchestrator's tells.
    /// The grant of the answer that tells it does not count, for it may be as old as the pause.
    func endWhatStoodStill(
        _ reply: ReportReply, _ sentAt: BootInstant, _ storage: inout Storage
    ) -> Int64 {
        guard let theirsMs = reply.clockMs else { return 0 }
        let lostMs = storage.stalls.heard(
            theirsMs, from: reply.instanceID, sentAt: sentAt, at: .now)
        guard lostMs > 0 else { return 0 }
        logger.error(
            "this machine stood still; its lease is shorter by that",
            metadata: ["lost_ms": "\(lostMs)"])
        storage.lease.shorten(byMs: lostMs)
        publishLease(&storage)
        return lostMs
    }

    /// Its lease had ended, so agent or guard have stopped it.
    func noteEndOfPrimary(_ storage: inout Storage) {
        let now = BootInstant.now
        guard let end = storage.lease.heldUntil ?? storage.lease.expiresAt, end <= now,
            !storage.ledger.isUnleased, !storage.lease.isOfNobody, configuration.mode == .act
        else { return }
        setFenced(isByLease: true, wasPrimary: true, &storage)
    }

    private func setFenced(isByLease: Bool, wasPrimary: Bool, _ storage: inout Storage) {
        let before = storage.ledger.fenced
        let fenced = Fenced(
            sinceUTCMs: before?.sinceUTCMs ?? Int64(Date().timeIntervalSince1970 * 1000),
            isByLease: isByLease || before?.isByLease == true,
            wasPrimary: wasPrimary || before?.wasPrimary == true)
        guard fenced != before else { return }
        storage.changeLedger { $0.fence(fenced) }
        // Nothing waits for the disk here: the service is stopped already.
        Task { [self] in
            if let failure = await persistFailure(atMostMs: 60_000) { logger.error("\(failure)") }
        }
    }

    /// The service is stopped, by an order or by this agent.
    func noteFence(isByLease: Bool) {
        storage.withLock { storage in
            setFenced(
                isByLease: isByLease, wasPrimary: storage.tracker.lastRole != .secondary, &storage)
        }
    }

    /// An order that was to start the service has left it stopped: it is fenced as before.
    func restoreFence(_ fenced: Fenced) {
        storage.withLock { storage in
            guard storage.ledger.fenced == nil, storage.tracker.report.state == .stopped else {
                return
            }
            storage.changeLedger { $0.fence(fenced) }
        }
    }

    /// Whether a lease that was held here has ended.
    var isLeaseOver: Bool {
        storage.withLock { storage in
            storage.lease.heldUntil.map { $0 <= .now } ?? !storage.lease.isConfirmed
        }
    }

    var fenced: Fenced? { storage.withLock { $0.ledger.fenced } }

    func suspendLease() {
        storage.withLock { storage in
            storage.lease.suspend()
            publishLease(&storage)
        }
    }

    func resumeLease() {
        storage.withLock { storage in
            storage.lease.resume()
            publishLease(&storage)
        }
        guardNow.signal()
    }

    var leaseDurationMs: Int64 { storage.withLock { $0.lease.lastDurationMs } }

    /// The service and what remains of a granted lease right now, read together.
    func standing(now: BootInstant = .now) -> Standing {
        storage.withLock { storage in
            Standing(
                service: Self.service(storage), leaseMs: storage.lease.remainingMs(at: now),
                isUnleased: storage.ledger.isUnleased, fenced: storage.ledger.fenced)
        }
    }

    struct Standing: Sendable {
        var service: ServiceReport
        var leaseMs: Int64
        var isUnleased: Bool
        var fenced: Fenced?

        /// Whether clients may be sent here to write.
        var isPrimary: Bool {
            service.state == .running && service.role == .primary && fenced == nil
                && (isUnleased || leaseMs > 0)
        }
    }
}
