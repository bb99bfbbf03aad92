import ContinuityCore
import Foundation
import Testing

/// What `serve` makes of its pack folders when it starts.
@Suite(.serialized) struct PackStartTests {
    private static let manifest = """
        api: hooks/v1
        name: slow
        version: "1"
        kind: check
        stages: [pre_check]
        budgets: {wall_ms: 7000}
        """

    private func packs(_ folder: TemporaryFolder, _ packs: [String: String]) throws {
        for (name, manifest) in packs {
            try FileManager.default.createDirectory(
                atPath: folder.path + "/packs/" + name, withIntermediateDirectories: true)
            try folder.write(manifest, to: "packs/\(name)/hook.yaml")
            try folder.write(
                "return { pre_check = function() return true end }", to: "packs/\(name)/main.lua")
        }
    }

    @Test func aBadPackThatNoPolicyBindsDoesNotKeepServeFromStarting() async throws {
        let folder = try TemporaryFolder()
        let laughs = "api: hooks/v1\nname: bad\nconfig:\n  - &a [x]\n  - &b [*a, *a]\n"
        try packs(folder, ["slow": Self.manifest, "bad": laughs, "worse": "name: [\n"])
        let server = try ServeFixture(
            policy: """
                policy_id: p
                hooks:
                  - {stage: pre_check, pack: slow}
                  - {stage: pre_check, pack: slow, timeout_ms: 300}
                """, packs: folder.path + "/packs")
        try await server.start()
        defer { server.kill() }
        #expect(server.log.contains("a pack cannot be used"), "\(server.log)")
        #expect(server.log.contains("'&a' is an anchor"), "\(server.log)")
        // A binding without a timeout has what the manifest asks for.
        let configured = try await server.entries().first {
            $0["kind"] == "cluster_configured"
        }
        let bindings = try #require(configured?["body"]?["policy"]?["hooks"]?.array)
        #expect(bindings.map { $0["timeout_ms"] } == [7000, 300], "\(bindings)")
    }

    @Test func aBadPackThatAPolicyBindsIsRefusedWithItsReason() async throws {
        let folder = try TemporaryFolder()
        try packs(folder, ["slow": Self.manifest + "\n&x y: 1\n"])
        let server = try ServeFixture(
            policy: "policy_id: p\nhooks: [{stage: pre_check, pack: slow}]\n",
            packs: folder.path + "/packs")
        let result = try await Programs.run("serve", "--config", server.configFile)
        #expect(result.exitCode == 65)
        #expect(result.errors.contains("the pack 'slow' cannot be used: "), "\(result.errors)")
        #expect(result.errors.contains("hook.yaml:7: '&x' is an anchor"), "\(result.errors)")
    }
}
