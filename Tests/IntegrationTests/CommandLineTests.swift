import ContinuityCore
import Foundation
import Testing

/// The command line as scripts see it: help, exit codes, one clear line for each mistake.
@Suite(.serialized) struct CommandLineTests {
    static let cluster = """
        cluster_id: demo
        nodes:
          - {node_id: node-1, role: primary, region: r1}
          - {node_id: node-2, role: secondary, region: r1}
          - {node_id: node-3, role: secondary, region: r2}

        """
    static let policy = "policy_id: p\nregion_priority: [r1, r2]\n"

    @Test(arguments: [
        [], ["serve"], ["agent"], ["demo"], ["status"], ["plan"], ["failover"], ["switchover"],
        ["audit"], ["audit", "list"], ["audit", "show"], ["audit", "verify"],
        ["postgres", "rejoin"], ["postgres", "restart"], ["hooks"], ["hooks", "new"],
        ["hooks", "check"], ["hooks", "test"],
        ["hooks", "run"], ["hooks", "list"], ["hooks", "replay"], ["hooks", "reload"],
        ["brake", "show"], ["brake", "clear"],
        ["pause"], ["resume"], ["maintenance", "start"], ["maintenance", "end"],
        ["drill", "run"], ["pki"], ["pki", "init"], ["pki", "issue"], ["pki", "renew"],
        ["pki", "show"], ["token", "create"], ["token", "list"], ["token", "revoke"], ["whoami"],
        ["access"], ["schedule", "list"], ["schedule", "cancel"], ["approve"], ["refuse"],
        ["break-glass"], ["review", "close"],
    ])
    func helpReadsWell(_ command: [String]) async throws {
        let result = try await Programs.run(command + ["--help"])
        #expect(result.exitCode == 0)
        #expect(result.output.contains("OVERVIEW: "))
        #expect(result.output.contains("USAGE: continuity"))
    }

    @Test(arguments: ["continuity", "continuity-agent"])
    func theVersionNamesCommitAndFormats(_ name: String) async throws {
        let program = Programs.folder.appending(path: name).path
        let result = try await Programs.run(program: program, ["--version"])
        #expect(result.exitCode == 0)
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(lines.first == "continuity \(ProductVersion.number)")
        #expect(lines.contains { $0.hasPrefix("commit ") })
        #expect(lines.contains("format journal: writes 2, reads 1 to 2"))
        #expect(lines.contains("format agent_state: writes 1, reads 1"))
    }

    @Test func aContextNamesTheServerAndItsCredentialsGoNowhereElse() async throws {
        let folder = try TemporaryFolder()
        let token = try folder.write("0123456789abcdef0123456789abcdef", to: "token", mode: 0o600)
        let config = folder.path + "/config/config.yaml"
        func run(_ variables: [String] = [], _ arguments: String...) async throws
            -> Programs.Result
        {
            let none = ["SERVER", "TOKEN_FILE", "CERTIFICATE", "CA", "CONTEXT"]
            return try await Programs.run(
                program: "env",
                none.flatMap { ["-u", "CONTINUITY_\($0)"] } + ["CONTINUITY_CONFIG=\(config)"]
                    + variables + [Programs.continuity] + arguments)
        }
        let missing = try await run([], "status")
        #expect(missing.exitCode == 64 && missing.errors.contains("continuity context add"))

        let wrong = try await run([], "context", "add", "x", "--server", "serve.example")
        #expect(wrong.exitCode == 64 && wrong.errors.contains("no base URL"))
        for (name, port) in [("dead", "1"), ("other", "2")] {
            let added = try await run(
                [], "context", "add", name, "--server", "http://127.0.0.1:\(port)",
                "--token-file", token)
            #expect(added.exitCode == 0, "\(added.errors)")
        }
        let mode = try FileManager.default.attributesOfItem(atPath: config)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        let list = try await run([], "context", "list", "--json")
        #expect(
            list.output.contains(
                #"{"current":true,"name":"dead","server":"http://127.0.0.1:1"}"#), "\(list)")

        // Nothing listens there: the context's server was asked, and with its token.
        let asked = try await run([], "status")
        #expect(asked.exitCode == 69 && asked.errors.contains("127.0.0.1"), "\(asked)")
        #expect(try await run([], "context", "use", "other").exitCode == 0)
        let named = try await run([], "status", "--context", "nowhere")
        #expect(named.exitCode == 65 && named.errors.contains("dead, other"))
        // Another server than the context's gets none of its credentials.
        let elsewhere = try await run(["CONTINUITY_SERVER=http://127.0.0.1:3"], "status")
        #expect(elsewhere.exitCode == 64 && elsewhere.errors.contains("asks who you are"))

        try "contexts:\n  - {name: a, server: 'http://h:1'}\n  - {name: a, server: 'http://h:2'}\n"
            .write(toFile: config, atomically: true, encoding: .utf8)
        let twice = try await run([], "status")
        #expect(twice.exitCode == 65 && twice.errors.contains("config.yaml:3"), "\(twice)")
    }

    @Test func theAgentsProgramHasTheAgentsCommands() async throws {
        let program = Programs.folder.appending(path: "continuity-agent").path
        for command in [["agent"], ["postgres", "status"], ["postgres", "rejoin"]] {
            let result = try await Programs.run(program: program, command + ["--help"])
            #expect(result.exitCode == 0 && result.output.contains("USAGE: continuity-agent"))
        }
        let missing = try await Programs.run(program: program, ["agent", "--config", "/none"])
        #expect(missing.exitCode == 65 && missing.errors.contains("/none"))
    }

    @Test func aPlanIsTheSameInEveryProcessAndRoundTrips() async throws {
        let folder = try TemporaryFolder()
        let cluster = try folder.write(Self.cluster, to: "cluster.yaml")
        let policy = try folder.write(Self.policy, to: "policy.yaml")
        var texts: Set<String> = []
        for _ in 0..<5 {
            let result = try await Programs.run("plan", "--cluster", cluster, "--policy", policy)
            #expect(result.exitCode == 0, "\(result.errors)")
            texts.insert(result.output)
        }
        #expect(texts.count == 1)
        for ending in ["yaml", "json"] {
            let first = folder.path + "/first." + ending
            let second = folder.path + "/second." + ending
            #expect(
                try await Programs.run(
                    "plan", "--cluster", cluster, "--policy", policy, "--output", first
                ).exitCode == 0)
            #expect(
                try await Programs.run("plan", "--read", first, "--output", second).exitCode == 0)
            let bytes = try Data(contentsOf: URL(fileURLWithPath: first))
            #expect(try Data(contentsOf: URL(fileURLWithPath: second)) == bytes)
            #expect(String(decoding: bytes, as: UTF8.self).contains("plan-"))
        }
    }

    @Test func aRefusedPlanSaysWhichRule() async throws {
        let folder = try TemporaryFolder()
        let cluster = try folder.write(
            Self.cluster.replacing("role: secondary", with: "role: secondary, capacity: 0"),
            to: "cluster.yaml")
        let policy = try folder.write(Self.policy, to: "policy.yaml")
        let output = folder.path + "/plan.yaml"
        let result = try await Programs.run(
            "plan", "--cluster", cluster, "--policy", policy, "--output", output)
        #expect(result.exitCode == 3)
        #expect(
            result.errors.contains("no_eligible_target: node-2 has capacity 0"),
            "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: output))
    }

    @Test(arguments: [
        ("node_id: node-2", "node_id: node-1", "cluster.yaml:4: ", "more than once"),
        ("role: secondary, region: r1", "role: primary", "cluster.yaml:4: ", "second primary"),
        ("cluster_id: demo", "cluster_id: demo\nquorum_size: 1", "cluster.yaml:2: ", "majority"),
        ("cluster_id: demo", "cluster: demo", "cluster.yaml", "'cluster_id' is missing"),
        ("region: r2", "regin: r2", "cluster.yaml:5: ", "unknown field"),
        ("node_id: node-3", "node_id: [x]", "cluster.yaml:5: ", "non-empty text"),
    ])
    func badClusterFilesAreOneClearLine(
        _ from: String, _ to: String, _ place: String, _ message: String
    ) async throws {
        let folder = try TemporaryFolder()
        let cluster = try folder.write(Self.cluster.replacing(from, with: to), to: "cluster.yaml")
        let policy = try folder.write(Self.policy, to: "policy.yaml")
        let result = try await Programs.run("plan", "--cluster", cluster, "--policy", policy)
        #expect(result.exitCode == 65)
        let lines = result.errors.split(separator: "\n")
        #expect(lines.count == 1, "\(result.errors)")
        #expect(lines.first?.contains(place) == true, "\(result.errors)")
        #expect(lines.first?.contains(message) == true, "\(result.errors)")
    }

    @Test func aPolicyForAnotherClusterIsRefused() async throws {
        let folder = try TemporaryFolder()
        let cluster = try folder.write(Self.cluster, to: "cluster.yaml")
        let policy = try folder.write(Self.policy + "cluster_id: orders\n", to: "policy.yaml")
        let result = try await Programs.run("plan", "--cluster", cluster, "--policy", policy)
        #expect(result.exitCode == 65)
        #expect(result.errors.contains("policy.yaml:3: "), "\(result.errors)")
    }

    @Test func aJournalThatIsNotOneIsRefused() async throws {
        let folder = try TemporaryFolder()
        let text = try folder.write(String(repeating: "no journal\n", count: 200), to: "j.sqlite")
        for arguments in [
            ["audit", "verify", "--journal", text],
            ["audit", "verify", "--journal", folder.path + "/absent"],
            ["audit", "list", "--journal", text],
        ] {
            let result = try await Programs.run(arguments)
            #expect(result.exitCode == 65)
            #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
            #expect(result.errors.contains(folder.path))
        }
    }

    @Test func anUnreachableServerIsToldWithItsOwnCode() async throws {
        let folder = try TemporaryFolder()
        let token = try folder.write("0123456789abcdef0123", to: "token", mode: 0o600)
        let result = try await Programs.run(
            "status", "--server", "http://127.0.0.1:\(try freePort())", "--token-file", token)
        #expect(result.exitCode == 69)
        #expect(result.errors.contains("continuity serve"), "\(result.errors)")
        try folder.write("0123456789abcdef0123", to: "token", mode: 0o644)
        let open = try await Programs.run(
            "status", "--server", "http://127.0.0.1:1", "--token-file", token)
        #expect(open.exitCode == 65)
        #expect(open.errors.contains("chmod 600"), "\(open.errors)")
    }
}
