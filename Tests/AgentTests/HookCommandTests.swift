import ContinuityConfig
import ContinuityCore
import Foundation
import Testing

@testable import ContinuityAgent

/// Programs of the agent's own that hooks ask for, on a running agent.
struct HookCommandTests {
    private static func add(_ configuration: inout AgentConfiguration, _ service: StandInService) {
        func own(_ script: String, readsOnly: Bool) -> HookCommandTemplate {
            HookCommandTemplate(
                template: CommandTemplate(argv: ["/bin/sh", "-c", script], timeoutMs: 20_000),
                readsOnly: readsOnly)
        }
        configuration.commands[.prepare] = service.logged(
            "prepare", then: "while test ! -e '\(service.root)/go'; do sleep 0.02; done")
        configuration.hookCommands = [
            "look": own("printf '{\"n\": 7}'", readsOnly: true),
            "mark": own("echo mark >> '\(service.logFile)'; echo done", readsOnly: false),
            "chatty": own("head -c 20000 /dev/zero | tr '\\0' x", readsOnly: true),
            "broken": own("echo no luck >&2; exit 3", readsOnly: true),
            "slow": HookCommandTemplate(
                template: CommandTemplate(argv: ["/bin/sleep", "60"], timeoutMs: 50),
                readsOnly: true),
        ]
    }

    private static func own(
        _ harness: Harness, _ program: String, readsOnly: Bool, key: OperationKey? = nil,
        epoch: Int64 = 1
    ) async throws -> CommandResult {
        try await harness.order(.own, key: key, epoch: epoch) {
            $0.program = program
            $0.readsOnly = readsOnly ? true : nil
        }
    }

    @Test func readingsRunAndSayWhatTheyPrinted() async throws {
        try await Harness.run(configure: Self.add) { harness in
            let look = try await Self.own(harness, "look", readsOnly: true)
            #expect(look.outcome == .succeeded && look.output == #"{"n": 7}"#, "\(look)")
            let chatty = try await Self.own(harness, "chatty", readsOnly: true)
            #expect(chatty.outcome == .failed && chatty.detail.contains("more than 16384 bytes"))
            let broken = try await Self.own(harness, "broken", readsOnly: true)
            #expect(broken.outcome == .failed && broken.detail.contains("status 3: no luck"))
            #expect(try await Self.own(harness, "slow", readsOnly: true).outcome == .timedOut)
        }
    }

    @Test func aReadingDoesNotWaitForAnOrderUnderWay() async throws {
        try await Harness.run(configure: Self.add) { harness in
            async let prepared = harness.order(.prepare)
            try await eventually("prepare runs") { harness.service.log == ["prepare"] }
            #expect(try await Self.own(harness, "look", readsOnly: true).outcome == .succeeded)
            _ = FileManager.default.createFile(
                atPath: harness.service.root + "/go", contents: nil)
            #expect(try await prepared.outcome == .succeeded)
        }
    }

    @Test func anEffectRunsOnceForEachKey() async throws {
        try await Harness.run(configure: Self.add) { harness in
            for _ in 1...3 {
                let result = try await Self.own(harness, "mark", readsOnly: false, key: "run/1")
                #expect(result.outcome == .succeeded && result.output == "done\n", "\(result)")
            }
            #expect(harness.service.log == ["mark"])
            _ = try await Self.own(harness, "mark", readsOnly: false, key: "run/2")
            #expect(harness.service.log == ["mark", "mark"])
        }
    }

    @Test func nothingRunsUnderAWrongName() async throws {
        try await Harness.run(configure: Self.add) { harness in
            let asReading = try await Self.own(harness, "mark", readsOnly: true)
            #expect(asReading.outcome == .refused && asReading.detail.contains("reads_only: true"))
            let asEffect = try await Self.own(harness, "look", readsOnly: false)
            #expect(asEffect.outcome == .refused && asEffect.detail.contains("ctx.agent.read"))
            let unknown = try await Self.own(harness, "absent", readsOnly: false)
            #expect(unknown.outcome == .refused && unknown.detail.contains("no 'absent'"))
            _ = try await harness.order(.status, epoch: 5)
            for (name, reads) in [("mark", false), ("look", true)] {
                let stale = try await Self.own(harness, name, readsOnly: reads, epoch: 4)
                #expect(stale.outcome == .refused && stale.detail.contains("epoch 4 is stale"))
            }
            #expect(harness.service.log.isEmpty)
        }
    }

    @Test(arguments: [
        ("hook_commands: {promote: {argv: [/bin/true], timeout_ms: 100}}", "cannot name"),
        ("hook_commands: {Look: {argv: [/bin/true], timeout_ms: 100}}", "cannot name"),
        ("hook_commands: {look: {argv: [/bin/none], timeout_ms: 100}}", "missing binary"),
        ("hook_commands: {look: {argv: [/bin/true]}}", "timeout_ms"),
        (
            "hook_commands: {look: {argv: [/bin/true], timeout_ms: 100, read_only: true}}",
            "read_only"
        ),
        ("commands: {own: {argv: [/bin/true], timeout_ms: 100}}", "own"),
    ])
    func mistakesAreToldWithTheirLine(_ section: String, _ message: String) throws {
        let token = "/tmp/continuity-token-\(UUID().uuidString.prefix(8))"
        defer { try? FileManager.default.removeItem(atPath: token) }
        _ = FileManager.default.createFile(
            atPath: token, contents: Data("0123456789abcdef0123".utf8),
            attributes: [.posixPermissions: NSNumber(value: 0o600)])
        let commands =
            section.hasPrefix("commands") ? "" : "commands: {status: {argv: [/bin/true]}}\n"
        let text = """
            cluster_id: orders
            node_id: n1
            orchestrators: [http://127.0.0.1:7100]
            token_file: \(token)
            insecure_plain_http: true
            listen: 127.0.0.1:7101
            state_file: /tmp/n1.json
            service: {address: "127.0.0.1:5432", pid_file: /tmp/d/p, directory: /tmp/d}
            \(commands)\(section)
            """
        do {
            _ = try AgentConfiguration.parse(text: text, file: "agent.yaml")
            Issue.record("accepted: \(section)")
        } catch {
            #expect("\(error)".contains(message) && "\(error)".contains("agent.yaml:"), "\(error)")
        }
    }
}
