import Foundation
import Testing

/// `continuity simulate` as people and scripts see it.
@Suite(.serialized) struct SimulateCommandTests {
    @Test func theSameSeedIsTheSameBytesInEveryProcess() async throws {
        let folder = try TemporaryFolder()
        let cluster = try folder.write(CommandLineTests.cluster, to: "cluster.yaml")
        let policy = try folder.write(CommandLineTests.policy, to: "policy.yaml")
        var reports: Set<String> = []
        var sweeps: Set<String> = []
        for _ in 0..<3 {
            let report = try await Programs.run(
                "simulate", "--cluster", cluster, "--policy", policy, "--scenario",
                "random_failures", "--seed", "7", "--json")
            #expect(report.exitCode == 0, "\(report.errors)")
            reports.insert(report.output)
            let sweep = try await Programs.run(
                "simulate", "--seeds", "5..6", "--minutes", "1", "--json")
            #expect(sweep.exitCode == 0, "\(sweep.errors)")
            sweeps.insert(sweep.output)
        }
        #expect(reports.count == 1)
        #expect(sweeps.count == 1)
    }

    @Test func aBrokenRuleEndsWithATraceAndHowToReproduceIt() async throws {
        let result = try await Programs.run(
            "simulate", "--seeds", "1..3", "--minutes", "1", "--mutation",
            "effects_before_journal")
        #expect(result.exitCode == 1)
        #expect(result.errors.contains("VIOLATION effect without intent"))
        #expect(
            result.errors.contains(
                "reproduce with: continuity simulate --seeds 1..1 --minutes 1 --mutation"))
    }

    @Test(
        arguments: [
            (["--seeds", "9..2"], Int32(64)), (["--scenario", "partition"], Int32(64)),
            ([String](), Int32(64)), (["--rewrite", "/nowhere"], Int32(65)),
        ] as [([String], Int32)])
    func mistakesAreToldInOneLine(_ arguments: [String], _ code: Int32) async throws {
        let result = try await Programs.run(["simulate"] + arguments)
        #expect(result.exitCode == code)
    }

    /// The real pack runs: what denies in earnest denies here, and what could not run is called
    /// assumed.
    @Test func aPolicyPackThatDeniesDeniesHere() async throws {
        let folder = try TemporaryFolder()
        let cluster = try folder.write(CommandLineTests.cluster, to: "cluster.yaml")
        func policy(_ hooks: String) throws -> String {
            try folder.write(CommandLineTests.policy + "\nhooks:\n" + hooks, to: "policy.yaml")
        }
        func pack(_ name: String, _ manifest: String, _ script: String) throws {
            try FileManager.default.createDirectory(
                atPath: folder.path + "/packs/" + name, withIntermediateDirectories: true)
            try folder.write(
                "api: hooks/v1\nname: \(name)\nversion: \"1\"\n" + manifest,
                to: "packs/\(name)/hook.yaml")
            try folder.write(script, to: "packs/\(name)/main.lua")
        }
        try pack(
            "never", "kind: policy\nstages: [admit]\n",
            "return { admit = function() return { verdict = 'deny', reason = 'not today' } end }")
        try pack(
            "outside", "kind: check\nstages: [pre_check]\ncapabilities: {http: [{hosts: ['*']}]}\n",
            """
            return { pre_check = function(ctx)
                if not ctx.http.get("https://example.org/") then return nil, "it is down" end
                return true
            end }
            """)
        func simulate(_ policy: String) async throws -> Programs.Result {
            try await Programs.run(
                "simulate", "--cluster", cluster, "--policy", policy, "--scenario",
                "primary_failure", "--packs", folder.path + "/packs")
        }
        let denied = try await simulate(try policy("  - {stage: admit, pack: never}\n"))
        #expect(denied.exitCode == 0, "\(denied.errors)")
        #expect(denied.output.contains("deny: not today"), "\(denied.output)")
        #expect(denied.output.contains(" 0 failovers"), "\(denied.output)")
        #expect(denied.output.contains("ran in the sandbox"), "\(denied.output)")
        #expect(!denied.output.contains("never allow"), "\(denied.output)")

        let grant = "grant: {http: [{hosts: [example.org], paths: [/]}]}"
        let assumed = try await simulate(
            try policy(
                "  - {stage: pre_check, pack: outside, \(grant)}\n  - {stage: admit, pack: missing}\n"
            ))
        #expect(assumed.exitCode == 0, "\(assumed.errors)")
        #expect(assumed.output.contains("0-outside/1 ok (assumed)"), "\(assumed.output)")
        #expect(assumed.output.contains("missing allow (assumed)"), "\(assumed.output)")
        #expect(assumed.output.contains("it reads from outside (http.request)"))
        #expect(assumed.output.contains("no pack of this name"), "\(assumed.output)")
    }
}
