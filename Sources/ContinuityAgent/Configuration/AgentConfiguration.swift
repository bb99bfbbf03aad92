package import ContinuityCore
package import ContinuityCrypto
import ContinuityHTTP
package import ContinuityTransport

/// What one agent was told about its node, its service and its orchestrators.
package struct AgentConfiguration: Sendable {
    /// What happens to a service that runs as primary when the agent is told to end.
    package enum ShutdownBehaviour: String, CaseIterable, Sendable {
        /// Stop it: nothing else would, once the lease has run out.
        case stopPrimary = "stop_primary"
        /// Leave it to the guard, which stays until the lease ends, and to the next agent, which
        /// goes on with the lease. Without a guard that answers it is stopped.
        case handOver = "hand_over"
        /// Leave it. Somebody else must see to it that there are never two primaries.
        case leave
    }

    /// What the agent does about what it sees.
    package enum Mode: String, CaseIterable, Sendable {
        case act
        /// It reports, and says what it would have done. It fences nothing and obeys no order that
        /// has an effect.
        case observe
    }

    /// What the node is for.
    package enum Role: String, CaseIterable, Sendable {
        case data
        /// It votes, and has no service.
        case witness
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
        /// The service manager's unit of the service, for `continuity agent --check`.
        package var unit: String?

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

    package struct TLS: Sendable {
        package var files: TLSFiles
        /// Who may give orders: identities, or all that begin with one where it ends in `/`.
        package var orchestrators: [String]
        /// Who may ask for promises, likewise. Where it is our own form, the node must be the
        /// asking one too.
        package var peers: [String]
        /// Of whose keys an orchestrator must have one. Empty: any that the authority signed.
        package var orchestratorPins: [Pin]

        package init(
            files: TLSFiles, orchestrators: [String] = ["\(Identity.scheme)serve/"],
            peers: [String], orchestratorPins: [Pin] = []
        ) {
            self.files = files
            self.orchestrators = orchestrators
            self.peers = peers
            self.orchestratorPins = orchestratorPins
        }

        func isOrchestrator(_ identity: Identity) -> Bool {
            Self.covers(orchestrators, identity)
        }

        func isPeer(_ identity: Identity, cluster: ClusterID, node: NodeID) -> Bool {
            if case .agent(let itsCluster, let itsNode) = identity,
                itsCluster != cluster.rawValue || itsNode != node.rawValue
            {
                return false
            }
            return Self.covers(peers, identity)
        }

        private static func covers(_ patterns: [String], _ identity: Identity) -> Bool {
            let uri = identity.description
            return patterns.contains { $0.hasSuffix("/") ? uri.hasPrefix($0) : uri == $0 }
        }
    }

    package var clusterID: ClusterID
    package var nodeID: NodeID
    /// Base URLs without a trailing slash, tried in turn.
    package var orchestrators: [String]
    /// The shared bearer token, at least 16 characters. Never logged. Without `tls` alone.
    package var token: String
    /// `nil`: plain HTTP on the loopback interface.
    package var tls: TLS?
    /// Where `/primary`, `/replica` and `/health` answer those who have no certificate.
    package var healthListen: Endpoint?
    /// Whether `healthListen` goes without TLS.
    package var healthIsPlain = false
    package var listen: Endpoint
    /// What other nodes reach this agent by, when it is not `http://<listen>`.
    package var advertiseURL: String?
    package var stateFile: String
    /// `nil`: a witness's.
    package var service: Service?
    package var commands: [AgentCommand.Name: CommandTemplate]
    /// What hooks may ask for by name, beside the fixed commands.
    package var hookCommands: [String: HookCommandTemplate]
    package var onShutdown: ShutdownBehaviour
    /// `nil`: no guard process is started. `load` always sets one.
    package var guardProcess: GuardConfiguration?
    /// What the orchestrator's checkpoints must be signed with; `nil`: their chain alone counts.
    package var auditPublicKey: Ed25519.PublicKey?
    package var mode = Mode.act
    package var isWitness: Bool { service == nil }

    package init(
        clusterID: ClusterID, nodeID: NodeID, orchestrators: [String], token: String,
        tls: TLS? = nil, listen: Endpoint, advertiseURL: String? = nil, stateFile: String,
        service: Service?,
        commands: [AgentCommand.Name: CommandTemplate] = [:],
        hookCommands: [String: HookCommandTemplate] = [:],
        onShutdown: ShutdownBehaviour = .stopPrimary, guardProcess: GuardConfiguration? = nil
    ) {
        self.clusterID = clusterID
        self.nodeID = nodeID
        self.orchestrators = orchestrators
        self.token = token
        self.tls = tls
        self.listen = listen
        self.advertiseURL = advertiseURL
        self.stateFile = stateFile
        self.service = service
        self.commands = commands
        self.hookCommands = hookCommands
        self.onShutdown = onShutdown
        self.guardProcess = guardProcess
    }
}

/// Whom a request of the agent's goes to.
enum Correspondent {
    case orchestrator
    case peer(NodeID)
}

extension AgentConfiguration {
    static func peersDefault(_ cluster: ClusterID) -> String {
        "\(Identity.scheme)agent/\(cluster)/"
    }

    /// Says in a request who this is, and whom it must reach.
    func sign(_ request: inout HTTPRequest, to correspondent: Correspondent) {
        guard let tls else {
            request.headers["Authorization"] = "Bearer \(token)"
            return
        }
        var credentials = TLSCredentials(
            certificateFile: tls.files.certificateFile, keyFile: tls.files.keyFile,
            authorityFile: tls.files.authorityFile)
        switch correspondent {
        case .orchestrator:
            // With several, the pins and the names that it is reached by must do.
            credentials.expectedIdentity =
                tls.orchestrators.count == 1 ? tls.orchestrators[0] : nil
            request.pins = tls.orchestratorPins.map(\.base64)
        case .peer(let node):
            let ours = Self.peersDefault(clusterID)
            credentials.expectedIdentity =
                tls.peers == [ours]
                ? ours + node.rawValue : tls.peers.count == 1 ? tls.peers[0] : nil
        }
        request.credentials = credentials
    }
}
