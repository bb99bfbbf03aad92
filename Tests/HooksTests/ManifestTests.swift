import ContinuityConfig
import ContinuityCore
import Foundation
import Testing

@testable import ContinuityHooks

@Suite("hook.yaml")
struct ManifestTests {
    static let minimal = """
        api: hooks/v1
        name: probe
        version: 1.2.3
        kind: action
        stages: [dns_flip, notify]
        """

    private func problem(_ text: String) -> String {
        do {
            _ = try HookManifest(text: text, file: "hook.yaml")
            return "none"
        } catch { return error.description }
    }

    @Test("the smallest manifest, and its defaults")
    func defaults() throws {
        let manifest = try HookManifest(text: Self.minimal, file: "hook.yaml")
        #expect(manifest.stages == [.dnsFlip, .notify])
        #expect(manifest.budgets == HookBudgets())
        #expect(!manifest.repeatable && manifest.drill == .run)
        #expect(manifest.capabilities.notifyChannels.isEmpty)
        let check = try HookManifest(
            text: Self.minimal.replacing("kind: action", with: "kind: check"), file: "hook.yaml")
        #expect(check.repeatable)
    }

    @Test(
        "mistakes are told with file and line",
        arguments: [
            ("budget: {}", "hook.yaml:6: unknown field 'budget'"),
            (
                "budgets: {wall_ms: 60001}",
                "hook.yaml:6: 'budgets.wall_ms' must be from 10 to 60000"
            ),
            ("budgets:\n  cpu: 3", "hook.yaml:7: unknown field 'budgets.cpu'"),
            ("capabilities:\n  http: {}", "hook.yaml:7: 'capabilities.http' must be a list"),
            (
                "capabilities:\n  http: [{hosts: [a], pins: [x]}]",
                "hook.yaml:7: unknown field 'capabilities.http[0].pins'"
            ),
            (
                "capabilities:\n  agent: {commands: [promote]}",
                "hook.yaml:7: 'promote' is no agent command that a hook can give"
            ),
            (
                "capabilities:\n  dns: [{zones: ['*'], types: [MX]}]",
                "hook.yaml:7: 'types' names 'MX'"
            ),
            (
                "capabilities: {notify: {channels: []}}",
                "hook.yaml:6: 'capabilities.notify.channels'"
            ),
            ("capabilities: {notify: {channel: x}}", "'capabilities.notify.channels' is missing"),
            ("config:\n  a:\n    type: float", "hook.yaml:8: 'config.a.type' is 'float'"),
            (
                "config:\n  a: {type: integer, default: x}",
                "the default of 'a' is not of type integer"
            ),
            ("config:\n  a: {type: string, default: x, required: true}", "is required and has a"),
            ("drill: perhaps", "hook.yaml:6: 'drill' is 'perhaps'; write one of: run, skip"),
            ("repeatable: 3", "hook.yaml:6: 'repeatable' must be true or false"),
        ])
    func mistakes(addition: String, expected: String) {
        let found = problem(Self.minimal + "\n" + addition)
        #expect(found.contains(expected), "\(found)")
    }

    @Test(
        "required fields and the fit of kind and stage",
        arguments: [
            ("api: hooks/v1", "api: hooks/v2", "hook.yaml:1: 'api' is 'hooks/v2'"),
            ("name: probe", "name: Probe_1", "hook.yaml:2: 'name' is 'Probe_1'"),
            ("version: 1.2.3", "", "'version' is missing"),
            (
                "kind: action", "kind: policy",
                "hook.yaml:5: kind 'policy' cannot stand at 'dns_flip'"
            ),
            ("[dns_flip, notify]", "[admit]", "hook.yaml:5: kind 'action' cannot stand at 'admit'"),
            (
                "[dns_flip, notify]", "[flip]",
                "hook.yaml:5: 'stages' names 'flip'; stages are: admit"
            ),
            ("[dns_flip, notify]", "[notify, notify]", "'stages' names 'notify' twice"),
            ("[dns_flip, notify]", "[]", "'stages' is empty"),
        ])
    func fields(old: String, new: String, expected: String) {
        let found = problem(Self.minimal.replacing(old, with: new))
        #expect(found.contains(expected), "\(found)")
    }

    @Test("a policy can have no capability")
    func purePolicy() {
        let found = problem(
            """
            api: hooks/v1
            name: p
            version: "1"
            kind: policy
            stages: [admit]
            capabilities: {notify: {channels: [x]}}
            """)
        #expect(found.contains("hook.yaml:6: a policy is pure"), "\(found)")
    }

    @Test("a pack is read from its folder, and what is wrong with it is told")
    func folders() throws {
        let folder = NSTemporaryDirectory() + "pack-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func load() -> String {
            do {
                _ = try HookPack.load(folder: folder)
                return "none"
            } catch { return error.description }
        }
        #expect(load().hasPrefix("\(folder)/hook.yaml: does not exist"))
        try Self.minimal.write(toFile: folder + "/hook.yaml", atomically: true, encoding: .utf8)
        #expect(load().hasPrefix("\(folder)/main.lua: does not exist"))
        try Data([0x72, 0xFF]).write(to: URL(fileURLWithPath: folder + "/main.lua"))
        #expect(load().contains("cannot be read as UTF-8 text"))
        try Data(repeating: 0x20, count: 300 << 10).write(
            to: URL(fileURLWithPath: folder + "/main.lua"))
        #expect(load().contains("is larger than 256 KiB"))
        try Data("return {}".utf8).write(to: URL(fileURLWithPath: folder + "/main.lua"))
        #expect(load() == "none")
    }

    @Test("digests follow from the bytes")
    func digests() throws {
        let one = try HookTesting.pack("return true")
        let other = try HookTesting.pack("return false")
        #expect(one.manifestSHA256 == other.manifestSHA256)
        #expect(one.scriptSHA256 != other.scriptSHA256)
        #expect(one.packSHA256 != other.packSHA256)
    }
}

@Suite("Ceilings of budgets")
struct CeilingTests {
    private static func manifest(_ budgets: String) -> String {
        """
        api: hooks/v1
        name: probe
        version: 1.0.0
        kind: check
        stages: [pre_check]
        budgets: {\(budgets)}
        """
    }

    @Test("a manifest above the ceiling is refused with its line, and a default is lowered")
    func ceiling() throws {
        var ceiling = HookBudgets.maximum
        ceiling.wallMs = 500
        let error = #expect(throws: ConfigError.self) {
            try HookManifest(
                text: Self.manifest("wall_ms: 501"), file: "hook.yaml", ceiling: ceiling)
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("hook.yaml:6") && text.contains("ceiling of 500"), "\(text)")
        let at = try HookManifest(
            text: Self.manifest("wall_ms: 500"), file: "hook.yaml", ceiling: ceiling)
        #expect(at.budgets.wallMs == 500)
        let silent = try HookManifest(
            text: Self.manifest("cpu_ms: 100"), file: "hook.yaml", ceiling: ceiling)
        #expect(silent.budgets.wallMs == 500 && silent.budgets.cpuMs == 100)
    }
}
