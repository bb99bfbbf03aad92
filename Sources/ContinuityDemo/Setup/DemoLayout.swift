import ContinuityPostgres

/// Who is who in the demo's cluster, and on which ports.
struct DemoLayout: Sendable {
    struct Member: Sendable {
        let id: String
        let region: String
        let site: String
        let agentPort: Int
        let postgres: PostgresNode

        var agentURL: String { "https://\(postgres.place.host):\(agentPort)" }
    }

    static let clusterID = "demo"
    static let alertChannel = "oncall"
    private static let places = [
        ("node-1", "region-1", "site-a"), ("node-2", "region-1", "site-b"),
        ("node-3", "region-2", "site-c"),
    ]

    let folder: DemoFolder
    let secrets: DemoSecrets
    let postgres: PostgresCluster
    let members: [Member]
    let servePort: Int
    let alertPort: Int
    let nameServer: NameServer
    let network: DemoNetwork

    init(
        folder: DemoFolder, installation: PostgresInstallation, network: DemoNetwork = .loopback
    ) throws {
        let count = Self.places.count
        let ports = try LoopbackPorts.free(2 * count + 3)
        let secrets = DemoSecrets()
        let postgres = PostgresCluster(
            installation: installation, folder: folder.postgres,
            nodeIDs: Self.places.map(\.0), ports: Array(ports[..<count]),
            password: secrets.postgresPassword, places: network.places)
        self.network = network
        self.folder = folder
        self.secrets = secrets
        self.postgres = postgres
        members = Self.places.indices.map { index in
            let (id, region, site) = Self.places[index]
            return Member(
                id: id, region: region, site: site, agentPort: ports[count + index],
                postgres: postgres.nodes[index])
        }
        servePort = ports[2 * count]
        alertPort = ports[2 * count + 1]
        nameServer = NameServer(folder: folder.file("dns"), port: ports[2 * count + 2])
    }

    var serveURL: String { "https://\(network.serveHost):\(servePort)" }
    var pki: DemoPKI { DemoPKI(folder: folder) }
    var journalFile: String { folder.file("journal.sqlite") }
    var serveFile: String { folder.file("serve.yaml") }

    func agentFile(_ member: Member) -> String { folder.file("agent-\(member.id).yaml") }

    func member(_ id: String) throws -> Member {
        guard let member = members.first(where: { $0.id == id }) else {
            throw DemoFailure("there is no node '\(id)' in the demo's cluster")
        }
        return member
    }
}
