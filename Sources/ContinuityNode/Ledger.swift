package import ContinuityCore

/// What an agent must not forget when it ends: whom it obeys, what came of recent commands, its
/// promises, and whether its service was fenced. Kept in the state file.
package struct Ledger: Codable, Equatable, Sendable {
    package enum Admission: Equatable, Sendable {
        case run
        /// The same key was carried out, begun or refused before.
        case remembered(CommandResult)
        case refused(String)
    }

    package static let resultLimit = 256
    /// The file is written whole each time, so it must stay small.
    package static let detailLimit = 2048

    /// The state file's format (``ProductVersion/agentState``); `nil`: 1, of an older agent.
    package private(set) var format: Int64? = ProductVersion.agentState.writes
    package private(set) var highestEpoch: Int64 = 0
    /// The process that leads in `highestEpoch`; `nil`: nobody has said it.
    package private(set) var instanceID: String?
    /// Oldest first.
    package private(set) var results: [CommandResult] = []
    /// The order that may make the service a primary and has begun. Still set when an agent starts:
    /// the one before ended in the middle of it.
    package private(set) var underWay: OperationKey?
    /// Names the clock that instants are of; `nil`: they are those of an older agent.
    package internal(set) var clock: String?
    package internal(set) var promise: Promise?
    package internal(set) var denial: Denial?
    /// Set from a fence until an order starts the service.
    package private(set) var fenced: Fenced?
    /// Whether the role excludes nobody, by the last word of an orchestrator.
    package private(set) var unleased: Bool?
    /// Who may be asked for promises, by the last answer of an orchestrator. Sorted.
    package private(set) var voters: [NodeID]?
    /// Who is no primary, by the last word of this leadership. Sorted.
    package private(set) var secondaries: [NodeID]?
    /// No promise is given for longer, by the last answer of an orchestrator.
    package private(set) var promiseLimitMs: Int64?

    private enum CodingKeys: String, CodingKey {
        case format
        case highestEpoch = "highest_epoch"
        case instanceID = "instance_id"
        case results
        case underWay = "under_way"
        case clock, promise, denial, fenced, unleased, voters, secondaries
        case promiseLimitMs = "promise_limit_ms"
    }

    package init() {}

    package var leadership: Leadership {
        Leadership(epoch: highestEpoch, instanceID: instanceID)
    }

    package var isUnleased: Bool { unleased == true }

    // MARK: Leaderships

    /// Takes notice of a leadership. - Returns: whether there is anything new to keep.
    @discardableResult
    package mutating func raise(to other: Leadership) -> Bool {
        if other.epoch > highestEpoch {
            highestEpoch = other.epoch
            instanceID = other.instanceID
            secondaries = nil
            return true
        }
        guard other.epoch == highestEpoch, instanceID == nil, let named = other.instanceID else {
            return false
        }
        instanceID = named
        return true
    }

    // MARK: Commands

    package func result(of key: OperationKey) -> CommandResult? {
        results.last { $0.key == key }
    }

    /// Decides about a command on its arrival, and raises the epoch when it is accepted.
    ///
    /// A key that is known is answered before anything else is looked at: its sender asks what came
    /// of it, and a refusal would say that nothing did.
    package mutating func admit(
        _ command: AgentCommand, to clusterID: ClusterID, _ nodeID: NodeID, at now: BootInstant
    ) -> Admission {
        if let known = result(of: command.key) { return .remembered(known) }
        guard let reason = refusal(of: command, clusterID, nodeID, at: now) else {
            raise(to: command.leadership)
            return .run
        }
        refuse(command, reason)
        return .refused(reason)
    }

    /// Remembers a refusal of an order that may make a primary: its sender counts on it that nothing
    /// happened, so it must not happen later under the same key.
    package mutating func refuse(_ command: AgentCommand, _ reason: String) {
        guard command.name.makesPrimary else { return }
        remember(CommandResult(key: command.key, outcome: .refused, detail: reason))
    }

    private mutating func refusal(
        of command: AgentCommand, _ clusterID: ClusterID, _ nodeID: NodeID, at now: BootInstant
    ) -> String? {
        guard command.clusterID == clusterID, command.nodeID == nodeID else {
            return "this is node \(nodeID) of cluster \(clusterID), the command is for node "
                + "\(command.nodeID) of cluster \(command.clusterID)"
        }
        if let reason = leadership.refusal(of: command.leadership) { return reason }
        raise(to: command.leadership)
        let mayBecomePrimary =
            command.name == .promote || (command.name == .restart && command.leaseMs != nil)
        let block = mayBecomePrimary ? promotionBlock(at: now) : nil
        return command.lateness(at: now) ?? block
    }

    /// Keeps that an order has begun which may make a primary. An agent that is killed in the middle
    /// then answers for that key that it is in doubt, and never begins it again.
    package mutating func begin(_ command: AgentCommand) {
        if command.name.startsService { fenced = nil }
        if let primary = command.primaryNodeID { secondaries?.removeAll { $0 == primary } }
        guard command.name.makesPrimary else { return }
        underWay = command.key
        put(
            CommandResult(
                key: command.key, outcome: .inDoubt,
                detail: "it was begun, and the agent ended before it did"))
    }

    /// Remembers what came of a command that was carried out, up to `resultLimit` of them.
    package mutating func remember(_ result: CommandResult) {
        if underWay == result.key { underWay = nil }
        put(result)
    }

    private mutating func put(_ result: CommandResult) {
        var result = result
        result.detail = String(result.detail.suffix(Self.detailLimit))
        results.removeAll { $0.key == result.key }
        results.append(result)
        if results.count > Self.resultLimit {
            results.removeFirst(results.count - Self.resultLimit)
        }
    }

    /// What the agent before did not finish is in doubt from now on, and no more under way.
    package mutating func takeOver() { underWay = nil }

    // MARK: What an orchestrator says of the cluster

    /// - Returns: whether anything is new, and has to be kept.
    package mutating func hear(_ reply: ReportReply, by nodeID: NodeID) -> Bool {
        let before = self
        unleased = reply.isUnleased == true ? true : nil
        voters = reply.voters(of: nodeID)
        promiseLimitMs = reply.promiseLimitMs
        secondaries =
            reply.peers.contains { $0.isPrimary != nil }
            ? reply.peers.filter { $0.isPrimary == false }.map(\.nodeID).sorted() : nil
        return (before.unleased, before.voters, before.promiseLimitMs) != (
            unleased, voters, promiseLimitMs
        ) || before.secondaries != secondaries
    }

    // MARK: Fences

    package mutating func fence(_ new: Fenced) { fenced = new }
}

/// That the service was fenced, and no order has started it since.
package struct Fenced: Codable, Hashable, Sendable {
    /// For people.
    package var sinceUTCMs: Int64
    /// By the node's own agent or guard, as its lease had ended; else by order.
    package var isByLease: Bool
    /// Its data would come up as a primary's when something else than an order starts it.
    package var wasPrimary: Bool

    package init(sinceUTCMs: Int64, isByLease: Bool, wasPrimary: Bool) {
        self.sinceUTCMs = sinceUTCMs
        self.isByLease = isByLease
        self.wasPrimary = wasPrimary
    }

    private enum CodingKeys: String, CodingKey {
        case sinceUTCMs = "since_utc_ms"
        case isByLease = "by_lease"
        case wasPrimary = "was_primary"
    }
}

extension AgentCommand {
    package var leadership: Leadership { Leadership(epoch: epoch, instanceID: instanceID) }
}

extension AgentCommand.Name {
    /// Whether an order of this name may start the service, so that it is not fenced any more.
    package var startsService: Bool {
        switch self {
        case .promote, .restart, .rejoin, .follow: true
        case .status, .prepare, .demote, .fence, .own: false
        }
    }
}

extension ReportReply {
    package var leadership: Leadership { Leadership(epoch: epoch, instanceID: instanceID) }

    /// Who may be asked for promises, the asker among them. Sorted.
    package func voters(of nodeID: NodeID) -> [NodeID] {
        if let promiseRule { return promiseRule.voters }
        return (peers.map(\.nodeID).filter { $0 != nodeID } + [nodeID]).sorted()
    }
}
