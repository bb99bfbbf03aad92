import ContinuityCore
import ContinuityCrypto
import ContinuityPostgres
import Foundation
import Testing

/// The packs for PostgreSQL and `ctx.agent` itself, on real servers, agents and `serve`.
@Suite(.serialized) struct PostgresPackTests {
    private static let hooks = Programs.repository.appending(path: "hooks").path

    /// Tries everything that an agent could be asked, at two places of a run.
    private static let probe = """
        local function try(ctx, node, command)
            local answer, message, code = ctx.agent.command(node, command)
            return answer and "ok" or code .. ": " .. message
        end

        local function demote(ctx)
            if ctx.run.kind == "failover" then
                local answer, message = ctx.agent.command(ctx.primary.node_id, "fence")
                return answer and { state = answer.service.state } or nil, message
            end
            local old, new = ctx.primary.node_id, ctx.target.node_id
            local reading = ctx.agent.read(new, "look")
            local _, _, as_reading = ctx.agent.read(new, "mark")
            return {
                json = reading and reading.json,
                as_reading = as_reading,
                status = try(ctx, old, "status"),
                prepare = try(ctx, old, "prepare"),
                mark = try(ctx, new, "mark"),
                absent = try(ctx, new, "absent"),
                promote = try(ctx, new, "promote"),
                restart = try(ctx, old, "restart"),
                fence = try(ctx, old, "fence"),
                demote_target = try(ctx, new, "demote"),
                follow = try(ctx, "node-3", "follow"),
                stranger = try(ctx, "node-9", "prepare"),
            }
        end

        local function verify(ctx)
            return {
                follow = try(ctx, "node-3", "follow"),
                follow_target = try(ctx, ctx.target.node_id, "follow"),
                fence = try(ctx, ctx.primary.node_id, "fence"),
            }
        end

        return { demote = demote, verify = verify }

        """

    private static let probeManifest = """
        api: hooks/v1
        name: agent-probe
        version: 1.0.0
        kind: action
        stages: [demote, verify]
        capabilities:
          agent:
            commands: [status, prepare, demote, fence, follow, mark, absent]
            reads: [look, mark]
        budgets: {wall_ms: 30000}

        """

    private static let grant =
        "{agent: {commands: [status, prepare, demote, fence, follow, mark, absent], "
        + "reads: [look, mark], nodes: [node-1, node-2, node-3, node-9]}}"

    private static let policy = """
        policy_id: p
        strategy: manual
        approvals: {failover: 0}
        cooldown_s: 0
        hooks:
          - {stage: pre_check, pack: postgresql-promotion, timeout_ms: 10000,
             grant: {agent: {reads: [pg-inspect, pg-inspect-later]}}}
          - {stage: demote, pack: postgresql-verify, timeout_ms: 10000,
             grant: {agent: {commands: [status]}}}
          - {stage: demote, pack: postgresql-demotion, timeout_ms: 30000,
             grant: {agent: {commands: [prepare, pg-switch-wal], reads: [pg-inspect, pg-inspect-later]}}}
          - {stage: demote, pack: agent-probe, timeout_ms: 30000, grant: \(grant)}
          - {stage: promote, timing: after, pack: postgresql-promotion, timeout_ms: 10000,
             grant: {agent: {reads: [pg-inspect]}}}
          - {stage: promote, timing: after, pack: postgresql-verify, timeout_ms: 10000,
             grant: {agent: {commands: [status]}}}
          - {stage: verify, timing: after, pack: agent-probe, timeout_ms: 30000, grant: \(grant)}

        """

    private func packs() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder.path + "/agent-probe", withIntermediateDirectories: true)
        try folder.write(Self.probeManifest, to: "agent-probe/hook.yaml")
        try folder.write(Self.probe, to: "agent-probe/main.lua")
        return folder
    }

    @Test func theRunsAndDrillsOfARealDatabase() async throws {
        let packs = try packs()
        let marks = packs.path + "/marks"
        let own: [String: JSONValue] = [
            "look": ["argv": ["/bin/echo", "{\"n\": 7}"], "timeout_ms": 2000, "reads_only": true],
            "mark": [
                "argv": ["/bin/sh", "-c", .string("echo mark >> '\(marks)'")], "timeout_ms": 2000,
            ],
        ]
        try await PostgresFixture.run(
            policy: Self.policy, packs: [Self.hooks, packs.path], hookCommands: own,
            settings: "archive_mode = on\narchive_command = '/bin/true'"
        ) { fixture in
            try await drills(fixture)
            #expect(!FileManager.default.fileExists(atPath: marks), "a drill changes nothing")
            try await switchover(fixture)
            #expect(try String(contentsOfFile: marks, encoding: .utf8) == "mark\n")
            try await failover(fixture)
        }
    }

    private func drills(_ fixture: PostgresFixture) async throws {
        let before = try await fixture.facts()
        for scenario in ["primary_failure", "switchover"] {
            let report = try await fixture.drill(scenario)
            #expect(report["state"]?.string == "passed", "\(report)")
            let steps = (report["stages"]?.array ?? []).flatMap { $0["steps"]?.array ?? [] }
            let text = String(decoding: CanonicalJSON.bytes(.array(steps)), as: UTF8.self)
            guard scenario == "switchover" else { continue }
            for command in ["prepare", "pg-switch-wal", "mark"] {
                #expect(text.contains("\"command\":\"\(command)\""), "\(command) in \(text)")
            }
        }
        for flags in [[], ["--markdown"]] {
            let text = try await fixture.drillText("primary_failure", flags)
            #expect(text.contains("predicted RTO ") && text.contains("promised 3000 ms"))
            let line = text.split(separator: "\n").first {
                $0.contains("hook postgresql-promotion")
            }
            #expect(line?.contains("ok") == true && line?.contains(" ms") == true, "\(text)")
            let fence = text.split(separator: "\n").first { $0.contains("command fence") }
            #expect(fence?.contains("would_do") == true && fence?.contains("node-1") == true)
            #expect(text.hasPrefix(flags.isEmpty ? "primary_failure of demo" : "# Drill drill-"))
            if !flags.isEmpty {
                #expect(
                    text.contains(
                        "\n| stage | what | node | outcome | took | predicted | would do |"))
            }
        }
        #expect(try await fixture.entries("drill_finished").count == 4)
        #expect(try await fixture.facts() == before)
        // The stubs are typed: what an agent would answer.
        let stubs = try await fixture.entries("drill_step")
            .compactMap { $0["body"]?["result"]?["hook"]?["effects"]?.array }.flatMap(\.self)
            .filter { $0["args"]?["command"]?.string == "prepare" }
            .filter { $0["args"]?["node_id"]?.string == "node-1" }
        #expect(!stubs.isEmpty)
        for stub in stubs {
            #expect(stub["would_do"] == true)
            #expect(stub["reply"]?["value"]?["service"]?["role"]?.string == "primary", "\(stub)")
        }
    }

    private func outcomes(_ fixture: PostgresFixture, _ stage: String) async throws -> [JSONValue] {
        try await fixture.entries("operation_finished")
            .filter { $0["stage"]?.string == stage && $0["result"]?["hook"] != nil }
            .compactMap { $0["result"]?["hook"] }
    }

    private func switchover(_ fixture: PostgresFixture) async throws {
        let finished = try await fixture.move("switchover", to: "node-2")
        #expect(finished["state"]?.string == "committed", "\(finished)")
        let value = try #require(
            try await outcomes(fixture, "demote").compactMap { $0["value"] }
                .first { $0["prepare"] != nil })
        for key in ["status", "prepare", "mark"] { #expect(value[key]?.string == "ok", "\(value)") }
        #expect(value["json"] == ["n": 7])
        #expect(value["as_reading"] == "refused")
        for (key, words) in [
            ("absent", "refused: absent on node-2"),
            ("promote", "invalid: agent.command: 'command' is 'promote', which no hook can give"),
            ("restart", "invalid: "), ("fence", "refused: 'fence' may be given only before"),
            ("demote_target", "refused: 'demote' may be given only to node-1"),
            ("follow", "refused: 'follow' may be given only when the new primary is promoted"),
            ("stranger", "invalid: 'node-9' is no node of this cluster"),
        ] {
            #expect(value[key]?.string?.hasPrefix(words) == true, "\(key): \(value)")
        }
        let after = try #require(try await outcomes(fixture, "verify").last?["value"])
        #expect(after["follow"] == "ok", "\(after)")
        #expect(after["follow_target"]?.string?.hasPrefix("refused: ") == true)
        #expect(after["fence"]?.string?.hasPrefix("refused: ") == true)
        let promoted = try await outcomes(fixture, "promote").compactMap { $0["value"] }
        #expect(promoted.contains { ($0["timeline"]?.int ?? 0) == 2 }, "\(promoted)")
        try await digests(fixture)
        try await fixture.healthy()
    }

    /// Digests of script, manifest and grant stand in each entry of a call.
    private func digests(_ fixture: PostgresFixture) async throws {
        func digest(_ file: String) throws -> String {
            hexString(SHA256.digest([UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))))
        }
        let script = try digest(Self.hooks + "/postgresql-demotion/main.lua")
        let manifest = try digest(Self.hooks + "/postgresql-demotion/hook.yaml")
        let grant: JSONValue = [
            "agent": [
                "commands": ["prepare", "pg-switch-wal"],
                "reads": ["pg-inspect", "pg-inspect-later"],
            ]
        ]
        let wanted: JSONValue = [
            "script": .string(script), "manifest": .string(manifest),
            "grant": .string(hexString(SHA256.digest(CanonicalJSON.bytes(grant)))),
        ]
        let intended = try await fixture.entries("operation_intended")
            .compactMap { $0["operation"] }.filter { $0["pack"]?.string == "postgresql-demotion" }
        #expect(intended.count == 1 && intended.allSatisfy { $0["digests"] == wanted })
        let effects = try await fixture.entries("hook_effect_intended")
            .filter { $0["pack"]?.string == "postgresql-demotion" }
        #expect(
            effects.map { $0["arguments"]?["command"]?.string } == ["prepare", "pg-switch-wal"])
        for effect in effects {
            #expect(effect["digests"] == wanted, "\(effect)")
            #expect(effect["call"] == "agent.command" && (effect["sequence"]?.int ?? 0) > 0)
            #expect(effect["operation"] == intended.first?["key"])
        }
        let outcome = try #require(
            try await outcomes(fixture, "demote").first {
                $0["script_sha256"]?.string == script
            })
        #expect(outcome["manifest_sha256"] == wanted["manifest"])
        #expect(outcome["grant_sha256"] == wanted["grant"])
        #expect(outcome["input_sha256"]?.string?.utf8.count == 64)
    }

    /// A hook that is granted it fences before the run does; the run's own order then finds nothing
    /// left to stop.
    private func failover(_ fixture: PostgresFixture) async throws {
        let finished = try await fixture.move("failover", to: "node-3")
        #expect(finished["state"]?.string == "committed", "\(finished)")
        let fence = try await fixture.entries("fence_proven").last
        #expect(fence?["proof"]?.string == "receipt")
        #expect(fence?["detail"]?.string?.contains("already_stopped") == true, "\(fence ?? [:])")
        #expect(try await outcomes(fixture, "demote").last?["value"]?["state"] == "stopped")
    }
}
