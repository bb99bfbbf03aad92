import ContinuityCore
import ContinuityNode
import Foundation
import Synchronization

extension NodeState {
    // MARK: Epochs, results, promises

    var highestEpoch: Int64 { storage.withLock { $0.ledger.highestEpoch } }
    var instanceID: String? { storage.withLock { $0.ledger.instanceID } }

    var leadership: Leadership { storage.withLock { $0.ledger.leadership } }

    /// A peer obeys a leadership that this node has not heard of yet. Durable when it returns.
    func raise(to leadership: Leadership) async throws {
        let isNew = storage.withLock { storage in
            guard leadership.epoch - storage.ledger.highestEpoch <= Leadership.peerAdvanceMax else {
                return false
            }
            return storage.changeLedger { $0.raise(to: leadership) }
        }
        if isNew { try await persist() }
    }

    /// What came of this key before; `nil`: it is not known.
    func result(of key: OperationKey) -> CommandResult? {
        storage.withLock { $0.ledger.result(of: key) }
    }

    /// Decides about a command. When it is one that may make a primary and may run, promises are
    /// refused and the guard watches until `endPromotion`.
    func admit(_ command: AgentCommand) -> Ledger.Admission {
        storage.withLock { storage in
            let admission = storage.changeLedger {
                $0.admit(
                    command, to: configuration.clusterID, configuration.nodeID, at: BootInstant.now)
            }
            if admission == .run, command.name.makesPrimary {
                storage.promotions.begin(until: .now + command.timeoutMs)
                publishLease(&storage)
            }
            return admission
        }
    }

    /// - Parameter isSettled: it was refused, or reached its goal. Else the service may become
    ///   primary yet.
    func endPromotion(isSettled: Bool) {
        storage.withLock { storage in
            storage.promotions.end(isSettled: isSettled, at: .now)
            publishLease(&storage)
        }
        guardNow.signal()
    }

    var mayYetPromote: Bool { storage.withLock { $0.promotions.mayYetPromote(at: .now) } }

    /// - Returns: whether the service was fenced until now.
    func begin(_ command: AgentCommand) -> Fenced? {
        storage.withLock { storage in
            let fenced = storage.ledger.fenced
            storage.changeLedger { $0.begin(command) }
            return fenced
        }
    }

    func remember(_ result: CommandResult) {
        storage.withLock { storage in storage.changeLedger { $0.remember(result) } }
    }

    func refuse(_ command: AgentCommand, _ reason: String) {
        storage.withLock { storage in storage.changeLedger { $0.refuse(command, reason) } }
    }

    /// Gives this node no promise from now on. Durable when it returns.
    ///
    /// - Returns: until when a promise that was given to it before is in force.
    func denyPromises(to node: NodeID, milliseconds: Int64) async throws -> BootInstant? {
        let now = BootInstant.now
        let milliseconds = min(max(1, milliseconds), Ledger.Denial.longestMs)
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

    /// Answers a peer that asks for a promise; one that is given is durable.
    func promise(_ request: PromiseRequest) async throws -> PromiseReply {
        let node = configuration.nodeID
        guard request.clusterID == configuration.clusterID else {
            return PromiseReply(
                nodeID: node, promised: false,
                detail: "this node belongs to cluster \(configuration.clusterID)")
        }
        let now = BootInstant.now
        let utcMs = Int64(Date().timeIntervalSince1970 * 1000)
        let (refusal, known) = storage.withLock { storage -> (Ledger.Refusal?, Leadership) in
            let known = storage.ledger.leadership
            guard !storage.promotions.mayYetPromote(at: now) else {
                return (.other("a promotion is under way here"), known)
            }
            let isPrimary =
                storage.tracker.isPrimary || storage.lease.heldUntil.map { now < $0 } == true
            let refusal = storage.changeLedger {
                $0.give(
                    request, by: node, isPrimary: isPrimary, kernelBootID: kernelBootID,
                    utcMs: utcMs, at: now)
            }
            return (refusal, known)
        }
        switch refusal {
        case nil:
            try await persist()
            return PromiseReply(nodeID: node, promised: true)
        case .leadership(let detail)?:
            return PromiseReply(
                nodeID: node, promised: false, detail: detail, epoch: known.epoch,
                instanceID: known.instanceID)
        case .other(let detail)?:
            return PromiseReply(nodeID: node, promised: false, detail: detail)
        }
    }
}
