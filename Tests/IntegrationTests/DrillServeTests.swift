import ContinuityCore
import Foundation
import Glibc
import Testing

/// Drills, recordings and packs of a real `serve`; its agents are played by the test.
@Suite(.serialized) struct DrillServeTests {
    private static let policy = """
        policy_id: p
        strategy: manual
        hooks:
          - {stage: pre_check, pack: mine, timeout_ms: 5000}

        """

    private func packs() async throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let new = try await Programs.run(
            "hooks", "new", "mine", "--kind", "check", "--folder", folder.path)
        #expect(new.exitCode == 0, "\(new.errors)")
        return folder
    }

    private func access(_ fixture: ServeFixture) -> [String] {
        [
            "--server", "http://127.0.0.1:\(fixture.port)", "--token-file",
            fixture.folder.path + "/token",
        ]
    }

    private func drill(_ fixture: ServeFixture) async throws -> JSONValue {
        let file = fixture.folder.path + "/drill.json"
        _ = try await Programs.run(
            ["drill", "run", "--cluster", "demo", "--json", "--output", file] + access(fixture))
        return try JSONDecoder().decode(
            JSONValue.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
    }

    @Test func aDrillIsReportedRecordedAndReplayed() async throws {
        let packs = try await packs()
        let fixture = try ServeFixture(policy: Self.policy, packs: packs.path)
        try await fixture.start()
        try await fixture.report(primary: .running)
        // Nobody answers readings here, so the drill fails at the promotion: and says so.
        let report = try await drill(fixture)
        #expect(report["state"]?.string == "failed")
        #expect(report["detail"]?.string?.contains("position") == true)
        #expect(report["held_by"]?["rule"]?.string == "strategy_manual")
        let entries = try await fixture.entries()
        let kinds = Set(entries.compactMap { $0["kind"]?.string })
        #expect(kinds.isSuperset(of: ["drill_started", "drill_step", "drill_finished"]))
        #expect(kinds.isDisjoint(with: ["run_requested", "operation_intended", "primary_changed"]))

        let recordings = fixture.folder.path + "/recordings"
        let file = try await eventually("the hook call is recorded") {
            try? FileManager.default.contentsOfDirectory(atPath: recordings).first
        }
        let path = recordings + "/" + file
        let pack = packs.path + "/mine"
        let same = try await Programs.run("hooks", "replay", path, "--pack", pack)
        #expect(same.exitCode == 0, "\(same.output)\(same.errors)")
        let script = try String(contentsOfFile: pack + "/main.lua", encoding: .utf8)
        try packs.write(
            script.replacing("    return true", with: "    return nil, \"never\""),
            to: "mine/main.lua")
        let changed = try await Programs.run("hooks", "replay", path, "--pack", pack)
        #expect(changed.exitCode == 1)
        #expect(changed.output.contains("+ failed"), "\(changed.output)")
        #expect(changed.output.contains("+ never"), "\(changed.output)")
    }

    @Test func onlyPacksThatCheckAreSwapped() async throws {
        let packs = try await packs()
        let fixture = try ServeFixture(policy: Self.policy, packs: packs.path)
        try await fixture.start()
        try await fixture.report(primary: .running)
        let reload = ["hooks", "reload", "--json"] + access(fixture)
        let script = try String(
            contentsOfFile: packs.path + "/mine/main.lua", encoding: .utf8)
        try packs.write(script + "this is no Lua", to: "mine/main.lua")
        let refused = try await Programs.run(reload)
        #expect(refused.exitCode == 1)
        #expect(refused.output.contains(#""rejected":[{"pack":"mine""#), "\(refused.output)")
        // The old one still runs.
        let before = try await drill(fixture)
        let steps = before["stages"]?.array?[1]["steps"]?.array
        #expect(steps?.first?["outcome"]?.string == "ok", "\(before)")

        try packs.write(
            script.replacing("    return true", with: "    return nil, \"changed\""),
            to: "mine/main.lua")
        let process = try #require(fixture.serve)
        process.send(SIGHUP)
        _ = try await eventually("SIGHUP reads the packs anew") {
            try await fixture.entries().contains {
                $0["kind"]?.string == "hook_packs_changed" && $0["actor"]?.string == "SIGHUP"
            } ? true : nil
        }
        let after = try await drill(fixture)
        #expect(after["detail"]?.string?.contains("changed") == true, "\(after)")
        #expect(try await Programs.run(reload).exitCode == 0)
        #expect(fixture.terminate() == 0)
        let verdict = try await Programs.run("audit", "verify", "--journal", fixture.journalFile)
        #expect(verdict.exitCode == 0, "\(verdict.errors)")
    }

    @Test func aPrimaryThatFailsInEarnestEndsADrillAtOnce() async throws {
        let packs = try await packs()
        try packs.write(
            """
            api: hooks/v1
            name: mine
            version: 1.0.0
            kind: check
            stages: [pre_check]
            budgets: {wall_ms: 20000, cpu_ms: 10000, instructions: 1000000000}

            """, to: "mine/hook.yaml")
        try packs.write(
            "return { pre_check = function() while true do end end }\n", to: "mine/main.lua")
        let fixture = try ServeFixture(policy: Self.policy, packs: packs.path)
        try await fixture.start()
        try await fixture.report(primary: .running)
        let order: JSONValue = ["cluster_id": "demo", "requested_by": "test"]
        let accepted = try await fixture.send("POST", "drill", body: CanonicalJSON.bytes(order))
        #expect(accepted.status == 202)
        let id = try #require(accepted.json["drill_id"]?.string)
        #expect(try await fixture.send("GET", "drill/\(id)").status == 202)
        // Another drill has to wait.
        let second = try await fixture.send("POST", "drill", body: CanonicalJSON.bytes(order))
        #expect(second.status == 409)
        #expect(second.json["type"]?.string?.hasSuffix("drill-active") == true)
        // The drill's hook still spins in its own worker.
        try await fixture.report(primary: .stopped)
        let report = try await fixture.send("GET", "drill/\(id)")
        #expect(report.status == 200)
        #expect(report.json["state"]?.string == "cancelled")
        #expect(
            report.json["detail"]?.string == "node-1 has failed in earnest", "\(report.json)")
        #expect(try await fixture.send("GET", "drill/drill-0000000000000000").status == 404)
        let status = try await Programs.run(["status"] + access(fixture))
        #expect(status.output.contains("LAST DRILL \(id) primary_failure cancelled"))
    }

    @Test func aPinnedPackCannotChangeUnderneath() async throws {
        let packs = try await packs()
        let list = try await Programs.run("hooks", "list", packs.path, "--json")
        let row = try JSONDecoder().decode(JSONValue.self, from: Data(list.output.utf8))
        let digest = try #require(row["pack_sha256"]?.string)
        let policy = Self.policy.replacing("pack: mine", with: "pack: mine, pack_sha256: \(digest)")
        let fixture = try ServeFixture(policy: policy, packs: packs.path)
        try await fixture.start()
        let file = packs.path + "/mine/main.lua"
        let script = try String(contentsOfFile: file, encoding: .utf8)
        try packs.write(script + "-- changed\n", to: "mine/main.lua")
        let reload = try await Programs.run(["hooks", "reload"] + access(fixture))
        #expect(reload.exitCode == 1)
        #expect(reload.output.contains("pinned to \(digest)"), "\(reload.output)")
        fixture.kill()
        let serve = try await Programs.run("serve", "--config", fixture.configFile)
        #expect(serve.exitCode == 65)
        #expect(serve.errors.contains("pinned to \(digest)"), "\(serve.errors)")
    }
}
