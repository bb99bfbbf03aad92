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
}
