import ContinuityCore
import ContinuityNode
import Foundation
import Logging
import Synchronization

/// All that the agent knows, behind one lock that is only ever held for a few instructions. The
/// decisions are those of the value types in `Decision`; this carries them from task to task.
final class NodeState: Sendable {
    private struct Storage {
        var tracker = ServiceTracker()
        var ledger: Ledger
        var ledgerVersion: UInt64 = 1
        var lease: Lease
        var reply: ReportReply?
        var views: [NodeID: PeerView] = [:]
        var sequence: Int64 = 0
        /// Orders that may make the service a primary: `promote` and `restart`.
        var promotionsUnderWay = 0
        /// When the last report that an orchestrator answered was sent.
        var contactAt = BootInstant.now
        var nextTicket: UInt64 = 1
        var lastAppliedTicket: UInt64 = 0
        /// No promotion goes on for longer than the latest order for one allows.
        var promotionDeadline: BootInstant?
        var leaseRecord: LeaseRecord
        var hasWrittenLease = false

        mutating func changeLedger<Result>(_ change: (inout Ledger) -> Result) -> Result {
            ledgerVersion += 1
            return change(&ledger)
        }
    }

    let configuration: AgentConfiguration
    /// Drawn anew by each agent process.
    let bootID = UUID().uuidString.lowercased()
    let reportNow = Wakeup()
    let guardNow = Wakeup()
    let peersNow = Wakeup()
    private let file: StateFile
    private let leaseFile: LeaseFile
    /// `nil` in tests that do without.
    let guardLink: GuardLink?
    private let kernelBootID: String
    private let storage: Mutex<Storage>

    /// - Throws: `StateFileError`.
    init(configuration: AgentConfiguration, logger: Logger) throws {
        self.configuration = configuration
        file = try StateFile(path: configuration.stateFile)
        kernelBootID =
            (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
        var ledger = try file.load()
        ledger.rebase(kernelBootID: kernelBootID, now: .now)
        try file.saveNow(ledger, version: 1)
        let leasePath = configuration.stateFile + ".lease"
        leaseFile = try LeaseFile(path: leasePath, kernelBootID: kernelBootID, now: .now)
        guardLink = configuration.guardProcess.map { [bootID] in
            GuardLink(
                configuration: $0, directory: configuration.service.directory,
                leaseFile: leasePath, agentID: bootID, logger: logger)
        }
        var mayBePrimary = false
        if case .held = leaseFile.inherited { mayBePrimary = true }
        storage = Mutex(
            Storage(
                tracker: ServiceTracker(mayBePrimary: mayBePrimary), ledger: ledger,
                lease: Lease(agentStartedAt: .now, inherited: leaseFile.inherited),
                leaseRecord: .init(until: nil, guardedBy: leaseFile.formerGuard)))
    }

    /// Lets another agent have the state file.
    func release() {
        leaseFile.flush()
        file.release()
    }

    // MARK: The service

    var service: ServiceReport { storage.withLock { $0.tracker.report } }
    var isPrimary: Bool { storage.withLock { $0.tracker.isPrimary } }

    /// A reading that began later always wins over one that began earlier.
    func takeTicket() -> UInt64 {
        storage.withLock { storage in
            defer { storage.nextTicket += 1 }
            return storage.nextTicket
        }
    }

    /// - Returns: the report afterwards.
    @discardableResult
    func updateService(
        ticket: UInt64, _ change: (inout ServiceTracker) -> Void
    ) -> ServiceReport {
        let (report, changed) = storage.withLock { storage -> (ServiceReport, Bool) in
            guard ticket >= storage.lastAppliedTicket else {
                return (storage.tracker.report, false)
            }
            storage.lastAppliedTicket = ticket
            let before = storage.tracker.report
            change(&storage.tracker)
            let after = storage.tracker.report
            publishLease(&storage)
            return (after, before.state != after.state || before.role != after.role)
        }
        if changed {
            guardNow.signal()
            reportNow.signal()
        }
        return report
    }

    // MARK: Reports

    func nextReport() -> NodeReport {
        let guardStatus = guardLink?.status
        return storage.withLock { storage in
            storage.sequence += 1
            var service = storage.tracker.report
            if let guardStatus, guardStatus.state == .degraded, service.detail.isEmpty {
                service.detail = "the guard process is degraded: \(guardStatus.detail)"
            }
            return NodeReport(
                clusterID: configuration.clusterID, nodeID: configuration.nodeID, bootID: bootID,
                sequence: storage.sequence, highestEpoch: storage.ledger.highestEpoch,
                service: service, peers: storage.views, clockMs: BootInstant.now.milliseconds)
        }
    }

    var intervalMs: Int64 {
        storage.withLock { min(max($0.reply?.intervalMs ?? 1000, 20), 60_000) }
    }

    var jitterPermille: Int64 {
        storage.withLock { min(max($0.reply?.jitterPermille ?? 100, 0), 500) }
    }

    /// Takes in an answer. One of an epoch lower than the highest seen is ignored.
    ///
    /// - Parameter sentAt: when the report it answers was sent.
    /// - Returns: whether it counts.
    /// - Throws: when a new epoch could not be made durable; nothing else was taken over then.
    func accept(_ reply: ReportReply, sentAt: BootInstant) async throws -> Bool {
        let (isStale, isNew) = storage.withLock { storage -> (Bool, Bool) in
            guard reply.epoch >= storage.ledger.highestEpoch else { return (true, false) }
            return (false, storage.changeLedger { $0.raise(to: reply.epoch) })
        }
        guard !isStale else { return false }
        if isNew { try await persist() }
        let isCurrent = storage.withLock { storage -> Bool in
            guard reply.epoch >= storage.ledger.highestEpoch else { return false }
            storage.reply = reply
            storage.contactAt = max(storage.contactAt, sentAt)
            let peers = Set(reply.peers.map(\.nodeID))
            storage.views = storage.views.filter { peers.contains($0.key) }
            if reply.endsDenials == true, storage.ledger.denial != nil {
                storage.changeLedger { $0.endDenial(reportSentAt: sentAt) }
            }
            if let leaseMs = reply.leaseMs {
                storage.lease.grant(milliseconds: leaseMs, from: sentAt)
                publishLease(&storage)
            }
            return true
        }
        if isCurrent { guardNow.signal() }
        return isCurrent
    }

    // MARK: Peers

    /// The other nodes by the last answer; `nil` before the first.
    var peers: [PeerAddress]? {
        storage.withLock { storage in
            storage.reply?.peers.filter { $0.nodeID != configuration.nodeID }
        }
    }

    var views: [NodeID: PeerView] { storage.withLock(\.views) }

    func observed(_ view: PeerView, of peer: NodeID) {
        let changed = storage.withLock { storage -> Bool in
            guard storage.reply?.peers.contains(where: { $0.nodeID == peer }) == true else {
                return false
            }
            return storage.views.updateValue(view, forKey: peer) != view
        }
        if changed { reportNow.signal() }
    }

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
        let graceMs = Self.graceMs(storage)
        let held = storage.lease.deadline(
            isPrimary: storage.tracker.isPrimary, graceMs: Self.graceMs(storage, now: now),
            now: now)
        guard storage.promotionsUnderWay > 0, let limit = storage.promotionDeadline else {
            return held
        }
        // The service may become primary at any moment, and until then nobody renews its lease.
        let bounded = min(now + graceMs, limit + graceMs)
        return max(held ?? bounded, storage.lease.heldUntil ?? bounded, bounded)
    }

    /// Tells the guard and the lease file what holds now. Neither waits.
    private func publishLease(_ storage: inout Storage) {
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
            let report = storage.tracker.report
            let isSecondary =
                report.state == .running && report.role == .secondary
                && storage.promotionsUnderWay == 0
            let verdict = storage.lease.check(
                isPrimary: isPrimary, isSecondary: isSecondary,
                graceMs: Self.graceMs(storage, now: now), now: now)
            publishLease(&storage)
            return (verdict, isPrimary ? storage.lease.nextCheck(after: now) : nil)
        }
    }

    func grantLease(milliseconds: Int64, from start: BootInstant) {
        storage.withLock { storage in
            storage.lease.grant(milliseconds: milliseconds, from: start)
            publishLease(&storage)
        }
        guardNow.signal()
    }

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
    func standing(now: BootInstant = .now) -> (service: ServiceReport, leaseMs: Int64) {
        storage.withLock { ($0.tracker.report, $0.lease.remainingMs(at: now)) }
    }

    // MARK: Epochs, results, promises

    var highestEpoch: Int64 { storage.withLock { $0.ledger.highestEpoch } }

    /// Decides about a command. When it is one that may make a primary and may run, promises are
    /// refused and the guard watches until `endPromotion`.
    func admit(_ command: AgentCommand) -> Ledger.Admission {
        storage.withLock { storage in
            let admission = storage.changeLedger {
                $0.admit(
                    command, to: configuration.clusterID, configuration.nodeID, at: BootInstant.now)
            }
            if admission == .run, command.name.makesPrimary {
                storage.promotionsUnderWay += 1
                storage.promotionDeadline = .now + command.timeoutMs
                publishLease(&storage)
            }
            return admission
        }
    }

    func endPromotion() {
        storage.withLock { storage in
            storage.promotionsUnderWay -= 1
            publishLease(&storage)
        }
        guardNow.signal()
    }

    /// Gives this node no promise from now on. Durable when it returns.
    ///
    /// - Returns: until when a promise that was given to it before is in force.
    func denyPromises(to node: NodeID, milliseconds: Int64) async throws -> BootInstant? {
        let now = BootInstant.now
        let denial = Ledger.Denial(
            to: node, untilBootMs: now.milliseconds + milliseconds, kernelBootID: kernelBootID,
            lengthMs: milliseconds)
        let end = storage.withLock { storage in
            storage.changeLedger { ledger in
                ledger.deny(denial)
                return ledger.promiseEnd(to: node, at: now)
            }
        }
        try await persist()
        return end
    }

    func remember(_ result: CommandResult) {
        storage.withLock { storage in storage.changeLedger { $0.remember(result) } }
    }

    /// - Returns: why the promise is refused, or `nil` once it is given and durable.
    func promise(_ request: PromiseRequest) async throws -> String? {
        guard request.clusterID == configuration.clusterID else {
            return "this node belongs to cluster \(configuration.clusterID)"
        }
        let now = BootInstant.now
        let promise = Ledger.Promise(
            to: request.nodeID, epoch: request.epoch,
            untilBootMs: now.milliseconds + request.promiseMs, kernelBootID: kernelBootID,
            lengthMs: request.promiseMs,
            untilUTCMs: Int64(Date().timeIntervalSince1970 * 1000) + request.promiseMs)
        let refusal = storage.withLock { storage -> String? in
            guard storage.promotionsUnderWay == 0 else { return "a promotion is under way here" }
            let isPrimary = storage.tracker.isPrimary
            return storage.changeLedger { $0.give(promise, isPrimary: isPrimary, at: now) }
        }
        if refusal == nil { try await persist() }
        return refusal
    }

    /// Returns when everything in the ledger up to now is durable.
    func persist() async throws {
        let (ledger, version) = storage.withLock { ($0.ledger, $0.ledgerVersion) }
        try await file.save(ledger, version: version)
    }
}
