package import ContinuityCore

/// What an agent must not forget when it ends: the highest epoch, what came of recent commands,
/// and the promise not to be promoted. Kept in the state file.
package struct Ledger: Codable, Equatable, Sendable {
    package enum Admission: Equatable, Sendable {
        case run
        /// The same key was carried out before.
        case remembered(CommandResult)
        case refused(String)
    }

    package static let resultLimit = 256
    /// The file is written whole each time, so it must stay small.
    package static let detailLimit = 2048

    package private(set) var highestEpoch: Int64 = 0
    /// Oldest first.
    package private(set) var results: [CommandResult] = []
    package private(set) var promise: Promise?
    package private(set) var denial: Denial?

    private enum CodingKeys: String, CodingKey {
        case highestEpoch = "highest_epoch"
        case results, promise, denial
    }

    package init() {}

    /// Takes notice of a leadership. - Returns: whether it is a new one.
    package mutating func raise(to epoch: Int64) -> Bool {
        guard epoch > highestEpoch else { return false }
        highestEpoch = epoch
        return true
    }

    /// Decides about a command on its arrival, and raises the highest epoch when it is accepted.
    package mutating func admit(
        _ command: AgentCommand, to clusterID: ClusterID, _ nodeID: NodeID, at now: BootInstant
    ) -> Admission {
        guard command.clusterID == clusterID, command.nodeID == nodeID else {
            return .refused(
                "this is node \(nodeID) of cluster \(clusterID), the command is for node "
                    + "\(command.nodeID) of cluster \(command.clusterID)")
        }
        guard command.epoch >= highestEpoch else {
            return .refused(
                "epoch \(command.epoch) is stale: this agent has seen epoch \(highestEpoch)")
        }
        _ = raise(to: command.epoch)
        if let known = results.last(where: { $0.key == command.key }) { return .remembered(known) }
        let block = command.name == .promote ? promotionBlock(at: now) : nil
        if let reason = command.lateness(at: now) ?? block {
            // For good: its sender now counts on it not having happened.
            if command.name == .promote {
                remember(CommandResult(key: command.key, outcome: .refused, detail: reason))
            }
            return .refused(reason)
        }
        return .run
    }

    /// Gives that node no promise from now on.
    package mutating func deny(_ new: Denial) { denial = new }

    /// Until when a promise to this node is in force; `nil` when none is.
    package func promiseEnd(to node: NodeID, at now: BootInstant) -> BootInstant? {
        guard let promise, promise.to == node, now.milliseconds < promise.untilBootMs else {
            return nil
        }
        return now + (promise.untilBootMs - now.milliseconds)
    }

    /// Why this node may not become primary now, or `nil` when it may.
    package func promotionBlock(at now: BootInstant) -> String? {
        guard let promise, now.milliseconds < promise.untilBootMs else { return nil }
        return "promised to \(promise.to) not to be promoted for another "
            + "\(promise.untilBootMs - now.milliseconds) ms (until UTC \(promise.untilUTCMs) ms)"
    }

    /// Remembers what came of a command that was carried out, up to `resultLimit` of them.
    package mutating func remember(_ result: CommandResult) {
        var result = result
        result.detail = String(result.detail.suffix(Self.detailLimit))
        results.removeAll { $0.key == result.key }
        results.append(result)
        if results.count > Self.resultLimit {
            results.removeFirst(results.count - Self.resultLimit)
        }
    }

    /// Gives or refuses a promise. The caller makes sure that no promotion is under way.
    ///
    /// - Returns: why it is refused, or `nil` when it is given.
    package mutating func give(_ new: Promise, isPrimary: Bool, at now: BootInstant) -> String? {
        if isPrimary { return "this node's own service is primary" }
        if new.epoch < highestEpoch {
            return "epoch \(new.epoch) is stale: this agent has seen epoch \(highestEpoch)"
        }
        if let denial, denial.to == new.to, now.milliseconds < denial.untilBootMs {
            return "another node is about to become primary"
        }
        if let promise, promise.to != new.to, now.milliseconds < promise.untilBootMs {
            return "a promise to \(promise.to) is still in force"
        }
        var kept = new
        if let promise, promise.to == new.to, promise.kernelBootID == new.kernelBootID {
            kept.untilBootMs = max(promise.untilBootMs, new.untilBootMs)
        }
        promise = kept
        return nil
    }

    /// An orchestrator says that no run counts on a denial any more, in answer to a report that was
    /// sent then. It does not know of one that came later.
    package mutating func endDenial(reportSentAt: BootInstant) {
        guard let denial, denial.sinceBootMs < reportSentAt.milliseconds else { return }
        self.denial = nil
    }

    /// Brings a promise of an earlier kernel boot onto this boot's clock, at its full length.
    package mutating func rebase(kernelBootID: String, now: BootInstant) {
        if var old = promise, old.kernelBootID != kernelBootID {
            old.untilBootMs = now.milliseconds + old.lengthMs
            old.kernelBootID = kernelBootID
            promise = old
        }
        if var old = denial, old.kernelBootID != kernelBootID {
            old.untilBootMs = now.milliseconds + old.lengthMs
            old.kernelBootID = kernelBootID
            denial = old
        }
    }
}
