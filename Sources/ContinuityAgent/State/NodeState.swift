import ContinuityCore
import ContinuityNode
import ContinuityTransport
import Foundation
import Logging
import Synchronization

/// All that the agent knows, behind one lock that is only ever held for a few instructions. The
/// decisions are those of the value types in `Decision`; this carries them from task to task.
final class NodeState: Sendable {
    struct Storage {
        var tracker = ServiceTracker()
        var ledger: Ledger
        var ledgerVersion: UInt64 = 1
        var lease: Lease
        var reply: ReportReply?
        var views: [NodeID: PeerView] = [:]
        var sequence: Int64 = 0
        var promotions = PromotionWatch()
        var stalls = StallDetector()
        /// When the last report that an orchestrator answered was sent.
        var contactAt = BootInstant.now
        var nextTicket: UInt64 = 1
        var lastAppliedTicket: UInt64 = 0
        var leaseRecord: LeaseRecord
        var hasWrittenLease = false
        /// What the agent leaves undone, and why.
        var wouldDo: String?
        var work: WorkUnderWay?

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
    let file: StateFile
    let leaseFile: LeaseFile
    /// `nil` in tests that do without.
    let guardLink: GuardLink?
    let kernelBootID: String
    let storage: Mutex<Storage>
    let logger: Logger

    /// - Throws: `StateFileError`.
    init(configuration: AgentConfiguration, logger: Logger) throws {
        self.configuration = configuration
        self.logger = logger
        file = try StateFile(path: configuration.stateFile)
        kernelBootID =
            (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines) ?? KernelBoot.unknown
        var ledger = try file.load()
        ledger.rebase(kernelBootID: kernelBootID, now: .now)
        var promotions = PromotionWatch()
        if ledger.underWay != nil { promotions.doubt(from: .now) }
        ledger.takeOver()
        try file.saveNow(ledger, version: 1)
        let leasePath = configuration.stateFile + ".lease"
        leaseFile = try LeaseFile(path: leasePath, kernelBootID: kernelBootID, now: .now)
        if let program = configuration.guardProcess, let service = configuration.service {
            guardLink = GuardLink(
                configuration: program, directory: service.directory, leaseFile: leasePath,
                agentID: bootID, logger: logger)
        } else {
            guardLink = nil
        }
        var mayBePrimary = false
        if case .held = leaseFile.inherited { mayBePrimary = true }
        storage = Mutex(
            Storage(
                tracker: configuration.isWitness
                    ? .withoutService : ServiceTracker(mayBePrimary: mayBePrimary),
                ledger: ledger,
                lease: Lease(agentStartedAt: .now, inherited: leaseFile.inherited),
                promotions: promotions,
                leaseRecord: .init(until: nil, guardedBy: leaseFile.formerGuard)))
    }

    /// Lets another agent have the state file.
    func release() {
        leaseFile.flush(atMostMs: 1000)
        file.release()
    }

    // MARK: The service

    var service: ServiceReport { storage.withLock { Self.service($0) } }
    var isPrimary: Bool { storage.withLock { $0.tracker.isPrimary } }

    static func service(_ storage: Storage) -> ServiceReport {
        var report = storage.tracker.report
        if report.state == .stopped, storage.ledger.fenced?.isByLease == true {
            report.isFenced = true
        }
        return report
    }

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
            let wasPrimary = storage.tracker.isPrimary
            change(&storage.tracker)
            let after = storage.tracker.report
            if wasPrimary, after.state == .stopped { noteEndOfPrimary(&storage) }
            if after.state == .stopped || storage.tracker.isPrimary { storage.promotions.settle() }
            if after.state != .unknown, after.role != .unknown || after.state == .stopped {
                storage.lease.found(primary: storage.tracker.isPrimary)
            }
            publishLease(&storage)
            return (after, before.state != after.state || before.role != after.role)
        }
        if changed {
            guardNow.signal()
            reportNow.signal()
        }
        return report
    }

    var wouldDo: String? { storage.withLock(\.wouldDo) }

    /// - Returns: whether it is another than before.
    func leaveUndone(_ what: String?) -> Bool {
        storage.withLock { storage in
            defer { storage.wouldDo = what }
            return storage.wouldDo != what
        }
    }

    // MARK: Reports

    func nextReport() -> NodeReport {
        let guardStatus = guardLink?.status
        return storage.withLock { storage in
            storage.sequence += 1
            var service = Self.service(storage)
            if let guardStatus, guardStatus.state == .degraded, service.detail.isEmpty {
                service.detail = "the guard process is degraded: \(guardStatus.detail)"
            }
            if let wouldDo = storage.wouldDo {
                service.detail = service.detail.isEmpty ? wouldDo : "\(service.detail); \(wouldDo)"
            }
            return NodeReport(
                clusterID: configuration.clusterID, nodeID: configuration.nodeID, bootID: bootID,
                sequence: storage.sequence, highestEpoch: storage.ledger.highestEpoch,
                instanceID: storage.ledger.instanceID, service: service, peers: storage.views,
                clockMs: BootInstant.now.milliseconds,
                promiseRule: storage.reply?.promiseRule?.id,
                isUnleased: storage.ledger.isUnleased ? true : nil, version: BuildVersion.text,
                work: storage.work?.report(at: .now))
        }
    }

    var intervalMs: Int64 {
        storage.withLock { min(max($0.reply?.intervalMs ?? 1000, 20), 60_000) }
    }

    var jitterPermille: Int64 {
        storage.withLock { min(max($0.reply?.jitterPermille ?? 100, 0), 500) }
    }

    /// What came of an answer.
    enum Acceptance: Equatable, Sendable {
        case counts
        /// Of a leadership that this agent does not obey.
        case ignored(String)
    }

    /// Takes in an answer. One of a leadership that this agent does not obey is ignored.
    ///
    /// - Parameter sentAt: when the report it answers was sent.
    /// - Throws: when a new leadership could not be made durable; nothing else was taken over then.
    func accept(_ reply: ReportReply, sentAt: BootInstant) async throws -> Acceptance {
        let (refusal, lostMs, isNew) = storage.withLock { storage -> (String?, Int64, Bool) in
            if let reason = storage.ledger.leadership.refusal(of: reply.leadership) {
                return (reason, 0, false)
            }
            let lostMs = endWhatStoodStill(reply, sentAt, &storage)
            return (nil, lostMs, storage.changeLedger { $0.raise(to: reply.leadership) })
        }
        if let refusal { return .ignored(refusal) }
        if isNew { try await persist() }
        var news = false
        let acceptance = storage.withLock { storage -> Acceptance in
            if let reason = storage.ledger.leadership.refusal(of: reply.leadership) {
                return .ignored(reason)
            }
            var reply = reply
            // It may have been granted before this machine stood still.
            if lostMs > 0 { reply.leaseMs = nil }
            news = take(reply, sentAt: sentAt, &storage)
            return .counts
        }
        if acceptance == .counts { guardNow.signal() }
        if news { try await persist() }
        return acceptance
    }

    /// - Returns: whether something has to be kept on disk.
    private func take(
        _ reply: ReportReply, sentAt: BootInstant, _ storage: inout Storage
    ) -> Bool {
        storage.reply = reply
        storage.contactAt = max(storage.contactAt, sentAt)
        let peers = Set(reply.peers.map(\.nodeID))
        storage.views = storage.views.filter { peers.contains($0.key) }
        if reply.endsDenials == true, storage.ledger.denial != nil {
            storage.changeLedger { $0.endDenial(reportSentAt: sentAt) }
        }
        let node = configuration.nodeID
        var ledger = storage.ledger
        let hasNews = ledger.hear(reply, by: node)
        if hasNews { storage.changeLedger { $0 = ledger } }
        if let leaseMs = reply.leaseMs { grant(milliseconds: leaseMs, from: sentAt, &storage) }
        publishLease(&storage)
        return hasNews
    }

    // MARK: Peers

    /// The other nodes by the last answer; `nil` before the first.
    var peers: [PeerAddress]? {
        storage.withLock { storage in
            storage.reply?.peers.filter { $0.nodeID != configuration.nodeID }
        }
    }

    /// Who is asked for promises, and by which rule; `nil` before the first answer.
    var electorate: (peers: [PeerAddress], rule: PromiseRule?)? {
        storage.withLock { storage in
            storage.reply.map { reply in
                (reply.peers.filter { $0.nodeID != configuration.nodeID }, reply.promiseRule)
            }
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

    /// Returns when everything in the ledger up to now is durable.
    func persist() async throws {
        let (ledger, version) = storage.withLock { ($0.ledger, $0.ledgerVersion) }
        try await file.save(ledger, version: version)
    }

    /// Why the ledger is not durable, or `nil` when it is. Goes on in the background when the wait
    /// takes too long, or is over because its task is cancelled: a disk can hang.
    func persistFailure(atMostMs: Int64) async -> String? {
        let outcome = await bounded(atMostMs: atMostMs) { () -> String? in
            do {
                try await self.persist()
                return nil
            } catch {
                return "the agent's state cannot be saved: \(error)"
            }
        }
        return outcome ?? "the agent's state is not saved yet: the disk of "
            + "\(configuration.stateFile) does not answer"
    }
}
