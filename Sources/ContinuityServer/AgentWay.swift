import ContinuityAPI
import ContinuityCore
import ContinuityCrypto
import ContinuityHTTP
import ContinuityTransport
import Logging
import ServiceLifecycle

/// The way from `serve` to the agents: who we are to them, and who they must be.
struct AgentWay: Sendable {
    private let rules: AccessRules
    private let agents: [String: AccessRules.Agent]

    init(rules: AccessRules) {
        self.rules = rules
        agents = Dictionary(
            rules.agents.map { ("\($0.cluster)/\($0.node)", $0) }, uniquingKeysWith: { $1 })
    }

    /// Says in a request who this is, and which agent it must reach.
    func sign(_ request: inout HTTPRequest, to node: NodeID, of cluster: ClusterID) {
        guard let tls = rules.tls else {
            let token = String(decoding: rules.sharedToken ?? [], as: UTF8.self)
            request.headers["authorization"] = "Bearer \(token)"
            return
        }
        let agent =
            agents["\(cluster)/\(node)"] ?? AccessRules.Agent(cluster: cluster, node: node)
        request.credentials = TLSCredentials(
            certificateFile: tls.certificateFile, keyFile: tls.keyFile,
            authorityFile: tls.authorityFile, expectedIdentity: agent.identity)
        request.pins = agent.pins.map(\.base64)
    }
}

/// Keeps a connection to every agent open, so that no order of a failover waits for a handshake.
struct AgentWarmer: Service {
    /// Below the agents' own patience with idle connections.
    private static let pause: Duration = .seconds(15)
    /// For an agent that does not answer, and whose next order would have to connect.
    private static let shortPause: Duration = .seconds(1)

    let way: AgentWay
    let client: HTTPClient
    let clusters: [Cluster]

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for cluster in clusters {
                    for node in cluster.nodes {
                        group.addTask { await keep(node, of: cluster.clusterID) }
                    }
                }
            }
        }
    }

    /// What comes of it is of no matter here: detection has its own eyes.
    private func keep(_ node: Node, of cluster: ClusterID) async {
        guard let url = node.agentURL else { return }
        while !Task.isCancelled {
            var request = HTTPRequest(
                url: "\(url)/health", timeout: .seconds(5), maxResponseBytes: 64 << 10)
            way.sign(&request, to: node.nodeID, of: cluster)
            let hasAnswered = (try? await client.send(request)) != nil
            try? await Task.sleep(for: hasAnswered ? Self.pause : Self.shortPause)
        }
    }
}
