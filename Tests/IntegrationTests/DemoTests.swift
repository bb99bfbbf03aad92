import ContinuityCore
import Foundation
import Testing

/// The demo is the product's promise on real parts: PostgreSQL, agents, `serve`, sandbox, webhook.
@Suite(.serialized) struct DemoTests {
    @Test(arguments: [
        ["--scenario", "crash", "--repeat", "2"],
        ["--scenario", "node-loss"],
        ["--scenario", "node-loss", "--profile", "lan"],
        ["--scenario", "switchover", "--repeat", "2"],
    ])
    func holdsOnRealParts(_ arguments: [String]) async throws {
        let result = try await Programs.run(["demo", "--json"] + arguments)
        #expect(result.exitCode == 0, "\(result.errors)\n\(result.output)")
        let report = try JSONDecoder().decode(JSONValue.self, from: Data(result.output.utf8))
        #expect(report["ok"]?.bool == true)
        #expect(report["scenario"]?.string == arguments[1])
        let runs = try #require(report["runs"]?.array)
        #expect(runs.count == (arguments.last == "2" ? 2 : 1))
        for run in runs {
            #expect(run["lost_acknowledged_writes"]?.int == 0)
            #expect(run["dual_primary_writes"]?.int == 0)
            #expect((run["confidence"]?.int ?? 0) >= 90)
            #expect((run["outage_ms"]?.int ?? 0) > 0)
            #expect(run["plan_id"]?.string?.hasPrefix("plan-") == true)
            let proof = arguments[1] == "node-loss" ? "lease_expired" : "receipt"
            #expect(run["fence_proof"]?.string == proof)
            #expect(run["phases_ms"]?["promote"]?.int != nil)
        }
        for key in ["min", "median", "max"] { #expect(report["outage_ms"]?[key]?.int != nil) }
    }

    /// Its last word is checked with the key and the witnesses that it has.
    @Test func itsJournalIsVerifiedWithKeyAndWitnesses() async throws {
        let result = try await Programs.run("demo", "--scenario", "switchover")
        #expect(result.exitCode == 0, "\(result.errors)\n\(result.output)")
        let lines = result.output.split(separator: "\n").filter { $0.contains("audit verify: ") }
        #expect(!lines.isEmpty, "\(result.output)")
        let text = lines.joined(separator: "\n")
        #expect(!text.contains("no --public-key"), "\(text)")
        #expect(!text.contains("no --witness"), "\(text)")
        #expect(text.contains("signed"), "\(text)")
        #expect(text.contains("witness"), "\(text)")
    }

    /// A drill on the running parts plays every stage through and leaves each of them as it was.
    @Test func aDrillChangesNothing() async throws {
        let result = try await Programs.run("demo", "--json", "--scenario", "drill")
        #expect(result.exitCode == 0, "\(result.errors)\n\(result.output)")
        let report = try JSONDecoder().decode(JSONValue.self, from: Data(result.output.utf8))
        let drills = try #require(report["drills"]?.array)
        #expect(drills.map { $0["scenario"]?.string } == ["primary_failure", "switchover"])
        for drill in drills {
            #expect(drill["state"]?.string == "passed")
            #expect((drill["confidence"]?.int ?? 0) >= 90)
            #expect((drill["predicted_rto_ms"]?.int ?? 0) > 0)
            let stages = try #require(drill["stages"]?.array)
            #expect(stages.count == 7)
            let hooks = stages.flatMap { $0["steps"]?.array ?? [] }
                .filter { $0["what"]?.string == "hook" }
            #expect(
                hooks.map { $0["name"]?.string } == [
                    "replication-lag-guard", "target-ready", "dns-rfc2136", "notify-oncall",
                ])
            #expect(hooks.allSatisfy { $0["outcome"]?.string == "ok" })
            #expect(hooks[2]["would_do"]?.array?.first?["call"]?.string == "dns.update")
            #expect(hooks.last?["would_do"]?.array?.first?["call"]?.string == "notify")
        }
    }

    /// `serve` is killed in the middle of the run and started again: it finds its state in the
    /// journal and ends what it began, and its agents find it again by themselves.
    @Test(arguments: [
        ("crash", "run_requested"), ("crash", "run_admitted"), ("crash", "fence_proven"),
        ("crash", "primary_changed"), ("crash", "run_finished"), ("node-loss", "run_requested"),
        ("switchover", "fence_proven"),
    ])
    func aKilledServerGoesOn(_ scenario: String, _ kind: String) async throws {
        let result = try await Programs.run(
            "demo", "--json", "--profile", "lan", "--scenario", scenario, "--kill-serve-at", kind)
        #expect(result.exitCode == 0, "\(result.errors)\n\(result.output)")
        let report = try JSONDecoder().decode(JSONValue.self, from: Data(result.output.utf8))
        let run = try #require(report["runs"]?.array?.first)
        #expect(run["lost_acknowledged_writes"]?.int == 0)
        #expect(run["dual_primary_writes"]?.int == 0)
    }
}
