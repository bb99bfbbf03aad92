import ContinuityCore
import Foundation
import Glibc

/// A real agent for each node of a `ServeFixture`, beside a service that shell scripts drive. Each
/// order that has an effect adds a line to its node's log, so that what was done twice is seen.
final class ScriptedAgents {
    /// `service.sh FOLDER ACTION`. While `ACTION.gate` exists, the action is done but does not end.
    private static let script = """
        here=$1
        say() {
            printf '{"role":"%s","position_bytes":1000,"lag_ms":0,"streaming":%s}' "$1" "$2" \\
                > "$here/status.new"
            mv "$here/status.new" "$here/status"
        }
        start() {
            rm -f "$here/main.pid"
            (cd "$here/data" && exec setsid /bin/sh -c \\
                'echo $$ > ../main.pid.new; mv ../main.pid.new ../main.pid; exec sleep 600') \\
                < /dev/null > /dev/null 2>&1 &
            until test -s "$here/main.pid"; do sleep 0.01; done
        }
        case $2 in
        status) cat "$here/status"; exit ;;
        create) start; say "$3" "$4"; exit ;;
        esac
        echo "$2" >> "$here/log"
        case $2 in
        demote | fence) kill -TERM "$(cat "$here/main.pid")" ;;
        promote) say primary false ;;
        rejoin) start; say secondary true ;;
        restart) start ;;
        esac
        while test -e "$here/$2.gate"; do sleep 0.01; done

        """

    private static let commands: [AgentCommand.Name] = [
        .status, .prepare, .demote, .fence, .promote, .follow, .rejoin, .restart,
    ]

    private let fixture: ServeFixture
    private let nodes = ["node-1", "node-2", "node-3"]
    private var agents: [Background] = []

    init(_ fixture: ServeFixture) { self.fixture = fixture }

    private func path(_ node: String) -> String { fixture.folder.path + "/" + node }

    /// Starts the services and agents, and gives the server, which must not run yet, a cluster
    /// file with them. The first node is the primary.
    func start() async throws {
        try fixture.folder.write(Self.script, to: "service.sh")
        let ports = try nodes.map { _ in try freePort() }
        let lines = zip(nodes, ports).map { node, port in
            """
              - {node_id: \(node), role: \(node == nodes[0] ? "primary" : "secondary"),
                 agent_url: "http://127.0.0.1:\(port)", service_address: "127.0.0.1:\(port)"}

            """
        }
        try fixture.folder.write("cluster_id: demo\nnodes:\n" + lines.joined(), to: "cluster.yaml")
        for (node, port) in zip(nodes, ports) {
            try FileManager.default.createDirectory(
                atPath: path(node) + "/data", withIntermediateDirectories: true)
            let role = node == nodes[0] ? ["primary", "false"] : ["secondary", "true"]
            let created = try await Programs.run(
                program: "/bin/sh",
                [fixture.folder.path + "/service.sh", path(node), "create"] + role)
            guard created.exitCode == 0 else { throw WaitedInVain(what: created.errors) }
            let file = try fixture.folder.write(
                String(decoding: CanonicalJSON.bytes(configuration(node, port)), as: UTF8.self),
                to: "\(node).yaml")
            agents.append(try Background(["agent", "--config", file], log: path(node) + "/agent"))
        }
    }

    private func configuration(_ node: String, _ port: Int) -> JSONValue {
        let commands = Self.commands.map { name -> (String, JSONValue) in
            let argv = ["/bin/sh", fixture.folder.path + "/service.sh", path(node), name.rawValue]
            return (
                name.rawValue,
                ["argv": .array(argv.map { .string($0) }), "timeout_ms": 20_000]
            )
        }
        return [
            "cluster_id": "demo", "node_id": .string(node),
            "orchestrators": [.string("http://127.0.0.1:\(fixture.port)")],
            "token_file": .string(fixture.folder.path + "/token"),
            "listen": .string("127.0.0.1:\(port)"), "insecure_plain_http": true,
            "state_file": .string(path(node) + "/state"),
            "service": [
                "address": .string("127.0.0.1:\(port)"),
                "pid_file": .string(path(node) + "/main.pid"),
                "directory": .string(path(node) + "/data"),
            ],
            "commands": .object(Dictionary(uniqueKeysWithValues: commands)),
        ]
    }

    /// Ends the agents in order, which stops the primary, and kills what is left of the services.
    func stop() {
        for node in nodes { for action in Self.commands { open(node, action) } }
        for agent in agents { agent.kill(SIGTERM) }
        agents = []
        for node in nodes {
            let text =
                (try? String(contentsOfFile: path(node) + "/main.pid", encoding: .utf8)) ?? ""
            let pid = Int32(text.split(separator: "\n").first ?? "") ?? 0
            let directory = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/\(pid)/cwd")
            if pid > 1, directory == path(node) + "/data" { kill(pid, SIGKILL) }
        }
    }

    /// From now on the action is done and does not end, until it is opened.
    func close(_ node: String, _ action: AgentCommand.Name) throws {
        try fixture.folder.write("", to: "\(node)/\(action.rawValue).gate")
    }

    func open(_ node: String, _ action: AgentCommand.Name) {
        unlink(path(node) + "/\(action.rawValue).gate")
    }

    /// What was done on a node, in order.
    func deeds(_ node: String) -> [String] { lines(node, "log") }

    /// Whether the agent has said that it is through with an order.
    func hasEnded(_ node: String, key: String) -> Bool {
        lines(node, "agent").contains { $0.contains("command ended") && $0.contains(key) }
    }

    func log(_ node: String) -> String { lines(node, "agent").joined(separator: "\n") }

    private func lines(_ node: String, _ name: String) -> [String] {
        let text = (try? String(contentsOfFile: path(node) + "/" + name, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }
}
