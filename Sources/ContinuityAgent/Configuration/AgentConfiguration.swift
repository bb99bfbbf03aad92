package import ContinuityCore
package import ContinuityCrypto

/// What one agent was told about its node, its service and its orchestrators.
package struct AgentConfiguration: Sendable {
    /// What happens to a service that runs as primary when the agent is told to end.
    package enum ShutdownBehaviour: String, CaseIterable, Sendable {
        /// Stop it: nothing else would, once the lease has run out.
        case stopPrimary = "stop_primary"
        /// Leave it. Somebody else must see to it that there are never two primaries.
        case leave
    }

    package struct Service: Sendable {
        package var address: Endpoint
        /// Its first line is the process id of the service's main process.
        package var pidFile: String
        /// The working directory that every process of the service has, without symbolic links.
        package var directory: String
        package var probeTimeoutMs: Int64
        package var probesTCP: Bool
        package var probeURL: String?

        package init(
            address: Endpoint, pidFile: String, directory: String, probeTimeoutMs: Int64 = 1000,
            probesTCP: Bool = true, probeURL: String? = nil
        ) {
            self.address = address
            self.pidFile = pidFile
            self.directory = directory
            self.probeTimeoutMs = probeTimeoutMs
            self.probesTCP = probesTCP
            self.probeURL = probeURL
        }
    }

    package var clusterID: ClusterID
    package var nodeID: NodeID
    /// Base URLs without a trailing slash, tried in turn.
    package var orchestrators: [String]
    /// The shared bearer token, at least 16 characters. Never logged.
    package var token: String
    package var listen: Endpoint
    /// What other nodes reach this agent by, when it is not `http://<listen>`.
    package var advertiseURL: String?
    package var stateFile: String
    package var service: Service
    package var commands: [AgentCommand.Name: CommandTemplate]
    package var onShutdown: ShutdownBehaviour
    /// `nil`: no guard process is started. `load` always sets one.
    package var guardProcess: GuardConfiguration?
    /// What the orchestrator's checkpoints must be signed with; `nil`: their chain alone counts.
    package var auditPublicKey: Ed25519.PublicKey?

    package init(
        clusterID: ClusterID, nodeID: NodeID, orchestrators: [String], token: String,
        listen: Endpoint, advertiseURL: String? = nil, stateFile: String, service: Service,
        commands: [AgentCommand.Name: CommandTemplate],
        onShutdown: ShutdownBehaviour = .stopPrimary, guardProcess: GuardConfiguration? = nil
    ) {
        self.clusterID = clusterID
        self.nodeID = nodeID
        self.orchestrators = orchestrators
        self.token = token
        self.listen = listen
        self.advertiseURL = advertiseURL
        self.stateFile = stateFile
        self.service = service
        self.commands = commands
        self.onShutdown = onShutdown
        self.guardProcess = guardProcess
    }
}
