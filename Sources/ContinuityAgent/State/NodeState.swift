import ContinuityCore
import Foundation
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
        var promotionsUnderWay = 0
        var nextTicket: UInt64 = 1
        var lastAppliedTicket: UInt64 = 0

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
    private let kernelBootID: String
    private let storage: Mutex<Storage>

    /// - Throws: `StateFileError`.
    init(configuration: AgentConfiguration) throws {
        self.configuration = configuration
        file = try StateFile(path: configuration.stateFile)
        kernelBootID =
            (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
        var ledger = try file.load()
        ledger.rebase(kernelBootID: kernelBootID, now: .now)
        try file.saveNow(ledger, version: 1)
        storage = Mutex(Storage(ledger: ledger, lease: Lease(agentStartedAt: .now)))
    }

    /// Lets another agent have the state file.
    func release() { file.release() }

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
        storage.withLock { storage in
            storage.sequence += 1
            return NodeReport(
                clusterID: configuration.clusterID, nodeID: configuration.nodeID, bootID: bootID,
                sequence: storage.sequence, highestEpoch: storage.ledger.highestEpoch,
                service: storage.tracker.report, peers: storage.views)
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
            let peers = Set(reply.peers.map(\.nodeID))
            storage.views = storage.views.filter { peers.contains($0.key) }
            if let leaseMs = reply.leaseMs {
                storage.lease.grant(milliseconds: leaseMs, from: sentAt)
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

    func checkLease(now: BootInstant) -> (Lease.Verdict, next: BootInstant?) {
        let graceMs = min(max(2 * intervalMs, 500), 2000)
        return storage.withLock { storage in
            let isPrimary = storage.tracker.isPrimary
            let verdict = storage.lease.check(isPrimary: isPrimary, graceMs: graceMs, now: now)
            return (verdict, isPrimary ? storage.lease.nextCheck(after: now) : nil)
        }
    }

    func grantLease(milliseconds: Int64, from start: BootInstant) {
        storage.withLock { $0.lease.grant(milliseconds: milliseconds, from: start) }
        guardNow.signal()
    }

    func suspendLease() { storage.withLock { $0.lease.suspend() } }

    func resumeLease() {
        storage.withLock { $0.lease.resume() }
        guardNow.signal()
    }

    var leaseDurationMs: Int64 { storage.withLock { $0.lease.lastDurationMs } }

    /// The service and what remains of a granted lease right now, read together.
    func standing(now: BootInstant = .now) -> (service: ServiceReport, leaseMs: Int64) {
        storage.withLock { ($0.tracker.report, $0.lease.remainingMs(at: now)) }
    }

    // MARK: Epochs, results, promises

    var highestEpoch: Int64 { storage.withLock { $0.ledger.highestEpoch } }

    /// Decides about a command. When it is a promotion that may run, promises are refused until
    /// `endPromotion`.
    func admit(_ command: AgentCommand) -> Ledger.Admission {
        storage.withLock { storage in
            let admission = storage.changeLedger {
                $0.admit(
                    command, to: configuration.clusterID, configuration.nodeID, at: BootInstant.now)
            }
            if admission == .run, command.name == .promote { storage.promotionsUnderWay += 1 }
            return admission
        }
    }

    func endPromotion() { storage.withLock { $0.promotionsUnderWay -= 1 } }

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
