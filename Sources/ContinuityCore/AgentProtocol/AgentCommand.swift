/// An order of the orchestrator to an agent: `POST /v1/commands`.
package struct AgentCommand: Codable, Hashable, Sendable {
    /// What the agent's configuration can name a program for. Fixed, so that both sides know what
    /// it means for the command to have *succeeded*.
    package enum Name: String, Codable, Hashable, Sendable, CaseIterable {
        /// Read the service's state anew. No effect.
        case status
        /// Make the service durable up to now, so that a later `demote` is quick.
        case prepare
        /// Stop being primary in an orderly way. Done when the service is stopped.
        case demote
        /// Stop the service by all means. Done when nothing of it is left; the answer carries a
        /// fence receipt.
        case fence
        /// Become primary. Done when the service itself says that it is primary.
        case promote
        /// Take changes from `primary` from now on. Done when the program has ended with 0; with 6 it
        /// says that this node's data can never take them (``CommandResult/isDiverged``).
        case follow
        /// Come back as a secondary of `primary`, with what diverged dealt with as `rejoin` says.
        /// Done when the service runs as a secondary.
        case rejoin
        /// Start the service again where it is. Done when the service runs.
        case restart
        /// Run the program that the agent's `hook_commands` name `program`. Only hooks ask for it.
        case own
    }

    package var key: OperationKey
    package var clusterID: ClusterID
    package var nodeID: NodeID
    package var epoch: Int64
    /// Which process has the lead in that epoch. Two processes on copies of one journal can count
    /// the same epoch; an agent obeys the first of them alone. `nil`: an older orchestrator.
    package var instanceID: String?
    package var name: Name
    /// `host:port` of the service to follow, for `follow` and `rejoin`.
    package var primaryAddress: String?
    /// The id of the node to follow, for `follow` and `rejoin`.
    package var primaryNodeID: NodeID?
    /// With `promote` and `restart`: the first lease, counted from the arrival of the command.
    package var leaseMs: Int64?
    /// With `own`: the name in the agent's `hook_commands`.
    package var program: String?
    /// With `own`: whether the asker counts on nothing being changed. The agent refuses where its
    /// configuration says otherwise.
    package var readsOnly: Bool?
    package var timeoutMs: Int64
    /// Not to be begun later than this on the agent's own clock (``NodeReport/clockMs``): then its
    /// sender has given up. `nil` when the sender does not know that clock.
    package var notAfterMs: Int64?
    /// With `status`: give this node no promise from now on, for so long; and answer when the one
    /// that was given to it is over. Then it holds no lease by promises any more.
    package var deniesPromisesTo: NodeID?
    package var deniesPromisesMs: Int64?
    /// With `rejoin`: what may happen to data that diverged. `nil`: an older orchestrator.
    package var rejoin: RejoinPolicy?

    package init(
        key: OperationKey, clusterID: ClusterID, nodeID: NodeID, epoch: Int64,
        instanceID: String? = nil, name: Name,
        primaryAddress: String? = nil, primaryNodeID: NodeID? = nil, leaseMs: Int64? = nil,
        program: String? = nil, readsOnly: Bool? = nil, timeoutMs: Int64,
        notAfterMs: Int64? = nil, deniesPromisesTo: NodeID? = nil, deniesPromisesMs: Int64? = nil,
        rejoin: RejoinPolicy? = nil
    ) {
        self.key = key
        self.clusterID = clusterID
        self.nodeID = nodeID
        self.epoch = epoch
        self.instanceID = instanceID
        self.name = name
        self.primaryAddress = primaryAddress
        self.primaryNodeID = primaryNodeID
        self.leaseMs = leaseMs
        self.program = program
        self.readsOnly = readsOnly
        self.timeoutMs = timeoutMs
        self.notAfterMs = notAfterMs
        self.deniesPromisesTo = deniesPromisesTo
        self.deniesPromisesMs = deniesPromisesMs
        self.rejoin = rejoin
    }

    private enum CodingKeys: String, CodingKey {
        case key
        case clusterID = "cluster_id"
        case nodeID = "node_id"
        case epoch, name
        case instanceID = "instance_id"
        case primaryAddress = "primary_address"
        case primaryNodeID = "primary_node_id"
        case leaseMs = "lease_ms"
        case program
        case readsOnly = "reads_only"
        case timeoutMs = "timeout_ms"
        case notAfterMs = "not_after_ms"
        case deniesPromisesTo = "denies_promises_to"
        case deniesPromisesMs = "denies_promises_ms"
        case rejoin
    }

    /// Whether it changes nothing: it need not wait for others, nor be remembered.
    package var isReading: Bool { name == .status || (name == .own && readsOnly == true) }
}

extension AgentCommand {
    /// A name as `hook_commands` may hold it: lower-case letters, digits and hyphens, at most 64,
    /// and none of the names that have a meaning of their own.
    package static func isProgramName(_ text: String) -> Bool {
        guard let first = text.utf8.first, (0x61...0x7A).contains(first), text.utf8.count <= 64,
            Name(rawValue: text) == nil
        else { return false }
        return text.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D
        }
    }
}

/// An agent's answer to a command.
package struct CommandResult: Codable, Hashable, Sendable {
    package enum Outcome: String, Codable, Hashable, Sendable {
        case succeeded
        /// The command ran and did not reach its goal; `detail` says why.
        case failed
        /// It did not end within its timeout and was stopped.
        case timedOut = "timed_out"
        /// Never begun, under this key, and never to be begun: stale epoch, wrong node, too late, or a
        /// promise given to another node.
        case refused
        /// Begun, and how it ended is not known: the agent ended while it ran, or a later order
        /// stopped it halfway. What it was to do may have happened.
        case inDoubt = "in_doubt"
        /// There was no connection: this sending of the command did not reach the agent.
        case unreachable
    }

    package var key: OperationKey
    package var outcome: Outcome
    /// For people: the reason, and the end of the program's output.
    package var detail: String
    package var durationMs: Int64
    /// The service after the command.
    package var service: ServiceReport?
    package var receipt: FenceReceipt?
    /// With `own`: what the program printed.
    package var output: String?
    /// With `status`: the node that gets no promise from now on, as the order asked. An agent that
    /// does not know the request answers without it.
    package var deniedPromisesTo: NodeID?
    /// With `prepare`: `true` when its program says that a stop would not end in time
    /// (``hinderedStatus``); `detail` says why.
    package var isHindered: Bool?
    /// With `follow` that failed: the program has proven that this node's data is not the beginning
    /// of the primary's. Only a rejoin helps.
    package var isDiverged: Bool?

    /// The exit status by which a program for `prepare` says that something would keep the service
    /// from stopping. EX_TEMPFAIL: psql, pg_ctl and shells use lower ones for failures of their own.
    package static let hinderedStatus: Int32 = 75
    /// The exit status by which a program for `follow` says that the data has diverged.
    package static let divergedStatus: Int32 = 6

    package init(
        key: OperationKey, outcome: Outcome, detail: String = "", durationMs: Int64 = 0,
        service: ServiceReport? = nil, receipt: FenceReceipt? = nil, output: String? = nil,
        deniedPromisesTo: NodeID? = nil, isDiverged: Bool? = nil
    ) {
        self.key = key
        self.outcome = outcome
        self.detail = detail
        self.durationMs = durationMs
        self.service = service
        self.receipt = receipt
        self.output = output
        self.deniedPromisesTo = deniedPromisesTo
        self.isDiverged = isDiverged
    }

    private enum CodingKeys: String, CodingKey {
        case key, outcome, detail
        case durationMs = "duration_ms"
        case service, receipt, output
        case deniedPromisesTo = "denied_promises_to"
        case isHindered = "hindered"
        case isDiverged = "diverged"
    }
}

/// Proof that a node's service is stopped: given by its agent after it has looked for every
/// process of the service and found none alive. The agent does not start the service again
/// without an order of the same or a higher epoch.
package struct FenceReceipt: Codable, Hashable, Sendable {
    package var nodeID: NodeID
    package var bootID: String
    package var epoch: Int64
    /// How the service came to be stopped: `already_stopped`, `command` or `killed`; or
    /// `kill_pending`: a process hangs in the kernel with SIGKILL pending. It runs no instruction of
    /// its own any more, so it acknowledges nothing.
    package var method: String
    package var processesKilled: Int64

    package static let alreadyStopped = "already_stopped"

    package init(
        nodeID: NodeID, bootID: String, epoch: Int64, method: String, processesKilled: Int64
    ) {
        self.nodeID = nodeID
        self.bootID = bootID
        self.epoch = epoch
        self.method = method
        self.processesKilled = processesKilled
    }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case bootID = "boot_id"
        case epoch, method
        case processesKilled = "processes_killed"
    }
}
