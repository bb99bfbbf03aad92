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

    /// Every call under such a grant would fail, so that a drill must not be the first to tell.
    @Test(arguments: [
        ("http: [{hosts: ['http://10.0.0.5:9093'], paths: [/x]}]", "'allow_private' is not true"),
        ("http: [{hosts: ['http://localhost:80'], paths: [/x]}]", "'allow_private' is not true"),
        (
            "http: [{hosts: ['http://[fe80::1]:80'], paths: [/x], allow_private: true}]",
            "an address that no hook may reach"
        ),
        ("http: [{hosts: [a.test], paths: [/x], ca_file: /no/such.pem}]", "cannot be read"),
        (
            "{secrets: [key], http: [{hosts: [b.test], paths: [/x]}]}",
            "the secret 'key' is bound to a.test, not to any host"
        ),
        (
            "dns: [{server: '192.0.2.1:53', zones: [z.test], records: [r.z.test], "
                + "tsig: {name: k, secret: key}}]", "is bound to a.test, not to 192.0.2.1:53"
        ),
    ])
    func aGrantThatCannotWorkIsRefusedAtStart(_ grant: String, _ fault: String) async throws {
        let folder = try TemporaryFolder()
        try packs(folder, ["slow": Self.manifest])
        let flow = grant.hasPrefix("{") ? grant : "{\(grant)}"
        let server = try ServeFixture(
            policy: "policy_id: p\nhooks: [{stage: pre_check, pack: slow, grant: \(flow)}]\n",
            packs: folder.path + "/packs")
        let key = try folder.write("a-secret-value\n", to: "key")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
        let text = try String(contentsOfFile: server.configFile, encoding: .utf8)
        try (text + "\nsecrets: {key: {file: \(key), bound_to: a.test}}\n")
            .write(toFile: server.configFile, atomically: true, encoding: .utf8)
        let result = try await Programs.run("serve", "--config", server.configFile)
        #expect(result.exitCode == 65)
        #expect(result.errors.contains("hooks[0]: "), "\(result.errors)")
        #expect(result.errors.contains(fault), "\(result.errors)")
    }
}
