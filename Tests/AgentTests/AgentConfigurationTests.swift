import ContinuityConfig
import ContinuityCore
import Foundation
import Testing

@testable import ContinuityAgent

struct AgentConfigurationTests {
    private static func text(token: String) -> String {
        """
        cluster_id: orders
        node_id: n1
        orchestrators: [http://127.0.0.1:7100/]
        token_file: \(token)
        listen: 127.0.0.1:7101
        state_file: /tmp/n1.json
        service:
          address: 127.0.0.1:5432
          pid_file: /tmp/data/postmaster.pid
          directory: /tmp/data
          probe: {tcp: true}
        commands:
          status: {argv: [/bin/cat, /tmp/status.json]}
          follow:
            argv: [/bin/echo, "{primary_host}", "{primary_port}", "{epoch}"]
            timeout_ms: 5000
        insecure_plain_http: true
        """
    }

    private func withToken(
        mode: Int = 0o600, content: String = "0123456789abcdef0123\n",
        _ body: (String) throws -> Void
    ) throws {
        let path = "/tmp/continuity-token-\(UUID().uuidString.prefix(8))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        _ = FileManager.default.createFile(
            atPath: path, contents: Data(content.utf8),
            attributes: [.posixPermissions: NSNumber(value: mode)])
        try body(Self.text(token: path))
    }

    private func failure(_ text: String) -> ConfigError? {
        do {
            _ = try AgentConfiguration.parse(text: text, file: "agent.yaml")
            return nil
        } catch {
            return error
        }
    }

    /// It votes: neither a service nor programs are asked for, and none is taken.
    @Test func aWitnessNeedsNeitherAServiceNorPrograms() throws {
        try withToken { text in
            let start = try #require(text.range(of: "service:"))
            let bare = text[..<start.lowerBound] + "insecure_plain_http: true\n"
            let missing = try #require(failure(String(bare)))
            #expect(missing.message == "'service' is missing")
            #expect(missing.remedy.contains("role: witness"))
            let witness = try AgentConfiguration.parse(
                text: bare + "role: witness\n", file: "agent.yaml")
            #expect(witness.isWitness && witness.commands.isEmpty)
            #expect(witness.guardProcess == nil, "there is nothing to fence")
            let both = try #require(failure(text + "\nrole: witness\n"))
            #expect(both.message == "'service' is given, and the role is witness", "\(both)")
            let commands = try #require(
                failure(bare + "role: witness\ncommands: {status: {argv: [/bin/true]}}\n"))
            #expect(commands.message.contains("'commands' is given"), "\(commands)")
            let unknown = try #require(failure(bare + "role: arbiter\n"))
            #expect(unknown.remedy.contains("one of: data, witness"), "\(unknown)")
        }
    }

    @Test func readsAGoodFile() throws {
        try withToken { text in
            let configuration = try AgentConfiguration.parse(text: text, file: "agent.yaml")
            #expect(configuration.orchestrators == ["http://127.0.0.1:7100"])
            #expect(configuration.token == "0123456789abcdef0123")
            #expect(configuration.onShutdown == .handOver)
            #expect(configuration.service?.probesTCP == true)
            #expect(configuration.commands[.status]?.timeoutMs == 1000)
            #expect(configuration.commands[.follow]?.argv.count == 4)
        }
    }

    /// A rejoin takes as long as the data is.
    @Test func aRejoinNeedsNoTimeAndMayStandStillForSoLong() throws {
        func commands(_ rejoin: String) -> String { "\n  rejoin: {argv: [/bin/true]\(rejoin)}\n" }
        try withToken { text in
            func parse(_ more: String) throws -> AgentConfiguration {
                try AgentConfiguration.parse(
                    text: text.replacing("\ninsecure", with: more + "insecure"), file: "agent.yaml")
            }
            let plain = try parse(commands("")).commands[.rejoin]
            #expect(plain?.timeoutMs == WireBounds.durationMsMax && plain?.stallMs == 600_000)
            let own = try parse(commands(", timeout_ms: 86400000, stall_ms: 30000"))
                .commands[.rejoin]
            #expect(own?.timeoutMs == 86_400_000 && own?.stallMs == 30_000)
            let other = text.replacing(
                "timeout_ms: 5000", with: "timeout_ms: 5000\n    stall_ms: 5000")
            #expect(failure(other)?.message.contains("stall_ms") == true)
        }
    }

    /// What is hardly meant is told, and nothing is refused for it.
    @Test func whatIsHardlyMeantIsTold() async throws {
        let service = try StandInService()
        var configuration = Harness.configuration(node: "n1", service: service, orchestratorPort: 1)
        try await service.start()
        let doubts = configuration.doubts
        #expect(doubts.contains { $0.contains("no command 'rejoin'") }, "\(doubts)")
        #expect(!doubts.contains { $0.contains("'promote'") || $0.contains("pid_file") })
        configuration.service?.pidFile = service.root + "/another.pid"
        #expect(configuration.doubts.contains { $0.contains("names none of those there") })
        for name in [AgentCommand.Name.rejoin, .follow, .restart] {
            configuration.commands[name] = CommandTemplate(argv: ["/bin/true"], timeoutMs: 1000)
        }
        configuration.service?.pidFile = service.pidFile
        #expect(configuration.doubts.isEmpty)
    }

    @Test func plainHTTPIsForLoopbackAndOnlyWhenAskedFor() throws {
        try withToken { text in
            let unasked = text.replacing("insecure_plain_http: true", with: "")
            #expect(failure(unasked)?.remedy.contains("insecure_plain_http") == true)
            let open = text.replacing("127.0.0.1:7101", with: "10.1.2.3:7101")
            #expect(failure(open)?.message.contains("other machines can reach") == true)
            let health = text + "\nhealth_listen: 10.1.2.3:7102\n"
            #expect(failure(health)?.message.contains("health_listen") == true)
            let mixed = text.replacing("http://127.0.0.1:7100/", with: "https://10.1.2.3:7100")
            #expect(failure(mixed)?.remedy.contains("tls") == true)
        }
    }

    @Test func readsTheGuardAndItsWatchdog() throws {
        try withToken { text in
            let plain = try AgentConfiguration.parse(text: text, file: "agent.yaml")
            #expect(plain.guardProcess?.program == GuardConfiguration.defaultProgram())
            #expect(plain.guardProcess?.watchdog == nil)
            let configured = try AgentConfiguration.parse(
                text: text
                    + "\nguard: {program: /bin/true, watchdog: {device: /dev/null, timeout_ms: 5000}}\n",
                file: "agent.yaml")
            #expect(configured.guardProcess?.program == "/bin/true")
            #expect(
                configured.guardProcess?.watchdog == .init(device: "/dev/null", timeoutMs: 5000))
            let missing = failure(text + "\nguard: {program: /no/such/guard}\n")
            #expect(missing?.message.contains("guard process") == true)
            let device = failure(text + "\nguard: {watchdog: {device: /no/such/device}}\n")
            #expect(device?.message.contains("cannot be written") == true)
        }
    }

    @Test(arguments: [
        ("127.0.0.1:7101", "0.0.0.0:7101", 5, "TLS"),
        ("/bin/echo", "/no/such/program", 15, "missing binary"),
        ("[/bin/cat", "[cat", 13, "absolute path"),
        ("{epoch}", "{epok}", 15, "{epok}"),
        ("directory: /tmp/data", "directory: /", 10, "'/'"),
        ("status:", "statu:", 13, "unknown field"),
        ("http://127.0.0.1:7100/", "ftp://x", 3, "no URL"),
        ("timeout_ms: 5000", "timeout_ms: 0", 16, "from 10"),
    ])
    func namesTheLineOfAMistake(
        right: String, wrong: String, line: Int, message: String
    ) throws {
        try withToken { text in
            let error = try #require(failure(text.replacing(right, with: wrong)))
            #expect(error.description.contains(message), "\(error)")
            #expect(error.line == line, "\(error)")
            #expect(!error.remedy.isEmpty)
        }
    }

    @Test func refusesATokenThatOthersCanRead() throws {
        try withToken(mode: 0o644) { text in
            let error = try #require(failure(text))
            #expect(error.description.contains("chmod 600"))
            #expect(error.line == 4)
        }
        try withToken(content: "short") { text in
            let error = try #require(failure(text))
            #expect(error.description.contains("no usable token"))
        }
    }

    @Test func fillsPlaceholdersAndRefusesMissingOnes() {
        let template = CommandTemplate(
            argv: ["/bin/echo", "host={primary_host}:{primary_port}", "{not closed"], timeoutMs: 1)
        #expect(
            template.arguments(with: ["primary_host": "::1", "primary_port": "5"])
                == ["/bin/echo", "host=::1:5", "{not closed"])
        #expect(template.arguments(with: ["primary_host": "x"]) == nil)
    }

    @Test func knowsLoopbackAddresses() {
        #expect(Endpoint("127.0.0.1:1")?.isLoopback == true)
        #expect(Endpoint("[::1]:1")?.isLoopback == true)
        #expect(Endpoint("10.0.0.1:1")?.isLoopback == false)
        #expect(Endpoint("127.evil.example:1")?.isLoopback == false)
        #expect(Endpoint("::1:1") == nil)
        #expect(Endpoint("host:70000") == nil)
    }
}
