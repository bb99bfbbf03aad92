import ContinuityCore
import Foundation
import Glibc
import Testing

/// What the layers of the sandbox mean to `hooks doctor` and to `serve`, on this machine and on one
/// that lacks a layer: within a user namespace that may hold no others.
@Suite(.serialized) struct HookDoctorTests {
    private static let layers = 12

    /// Runs `continuity` where no user namespace can be created.
    private func withoutUserNamespaces(_ arguments: String) async throws -> Programs.Result {
        try await Programs.run(
            program: "/usr/bin/unshare",
            [
                "--user", "--map-root-user", "/bin/sh", "-c",
                "echo 0 > /proc/sys/user/max_user_namespaces && exec \(Programs.continuity) \(arguments)",
            ])
    }

    private func json(_ result: Programs.Result) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: Data(result.output.utf8))
    }

    @Test(arguments: [[], ["--strict"]])
    func aMachineWithEveryLayer(_ flags: [String]) async throws {
        let human = try await Programs.run(["hooks", "doctor"] + flags)
        #expect(human.exitCode == 0, "\(human.output)\(human.errors)")
        #expect(human.output.contains("LAYER") && !human.output.contains("MISSING"))
        #expect(human.output.contains("attempts from inside: "))
        #expect(!human.output.contains("ALLOWED"))
        let printed = try json(try await Programs.run(["hooks", "doctor", "--json"] + flags))
        #expect(printed["ok"] == true)
        let layers = try #require(printed["layers"]?.array)
        #expect(layers.count == Self.layers)
        for layer in layers {
            #expect(layer["active"] == true && layer["purpose"]?.string?.isEmpty == false)
        }
        #expect(layers.contains { $0["name"] == "seccomp" })
        let attempts = try #require(printed["attempts"]?.array)
        #expect(attempts.count >= 40 && attempts.allSatisfy { $0["stopped"] == true })
        #expect(human.output.contains("\(attempts.count) of \(attempts.count) stopped"))
    }

    @Test func aMissingLayerIsToldAndRefusedOnlyWhereStrict() async throws {
        let human = try await withoutUserNamespaces("hooks doctor")
        #expect(human.exitCode == 0, "\(human.errors)")
        #expect(human.output.contains("user namespace       MISSING"), "\(human.output)")
        #expect(human.output.contains("user namespace: allow user namespaces"))
        let strict = try await withoutUserNamespaces("hooks doctor --strict --json")
        #expect(strict.exitCode == 69)
        #expect(strict.errors.contains("hooks are refused on this machine"))
        let printed = try json(strict)
        #expect(printed["ok"] == false)
        let missing = printed["layers"]?.array?.filter { $0["active"] == false } ?? []
        #expect(missing.map { $0["name"]?.string } == ["user namespace"])
        #expect(missing.first?["remedy"]?.string?.isEmpty == false)
    }

    @Test func aProgramThatIsNoSandboxIsTold() async throws {
        for program in ["/nowhere/sandbox", "/bin/true"] {
            let result = try await Programs.run("hooks", "doctor", "--hook-sandbox", program)
            #expect(result.exitCode == 69, "\(result.errors)")
            #expect(result.errors.contains(program) && result.output.isEmpty)
        }
    }

    // MARK: serve.yaml

    private static let policy = """
        policy_id: p
        strategy: manual
        hooks: [{stage: pre_check, pack: mine}]

        """

    private func fixture(_ hooks: String) async throws -> ServeFixture {
        let fixture = try ServeFixture(policy: Self.policy, packs: "packs")
        try FileManager.default.createDirectory(
            atPath: fixture.folder.path + "/packs", withIntermediateDirectories: true)
        _ = try await Programs.run(
            "hooks", "new", "mine", "--kind", "check", "--folder", fixture.folder.path + "/packs")
        let text = try String(contentsOfFile: fixture.configFile, encoding: .utf8)
        try fixture.folder.write(
            text.replacing("hooks: {workers: 1,", with: "hooks: {workers: 1, \(hooks),"),
            to: "serve.yaml")
        return fixture
    }

    @Test func serveRefusesToStartWithoutALayerWhereStrict() async throws {
        let strict = try await fixture("sandbox: strict")
        let refused = try await withoutUserNamespaces("serve --config \(strict.configFile)")
        #expect(refused.exitCode == 69, "\(refused.errors)")
        #expect(refused.errors.contains("user namespace"), "\(refused.errors)")
        // Where every layer is there it starts.
        try await strict.start()
        #expect(strict.terminate() == 0)
        let wrong = try await fixture("sandbox: lax")
        let result = try await Programs.run("serve", "--config", wrong.configFile)
        #expect(result.exitCode == 65)
        #expect(result.errors.contains("serve.yaml:") && result.errors.contains("standard, strict"))
    }

    @Test func ceilingsHoldForServeAndForTheKit() async throws {
        let fixture = try await fixture("ceilings: {wall_ms: 500, cpu_ms: 50}")
        let packs = fixture.folder
        let pack = packs.path + "/packs/mine"
        // The new pack asks for a second.
        let serve = try await Programs.run("serve", "--config", fixture.configFile)
        #expect(serve.exitCode == 65)
        #expect(serve.errors.contains("hook.yaml:"))
        #expect(
            serve.errors.contains("'budgets.wall_ms' is 1000, above this server's ceiling of 500"))
        for command in ["check", "test"] {
            let result = try await Programs.run(
                "hooks", command, pack, "--config", fixture.configFile)
            #expect(result.exitCode == 65)
            #expect(result.errors.contains("above this server's ceiling of 500"))
            #expect(try await Programs.run("hooks", command, pack).exitCode == 0)
        }
        let manifest = try String(contentsOfFile: pack + "/hook.yaml", encoding: .utf8)
        let within = try #require(manifest.firstRange(of: "budgets:"))
        try packs.write(String(manifest[..<within.lowerBound]), to: "packs/mine/hook.yaml")
        let check = try await Programs.run("hooks", "check", pack, "--config", fixture.configFile)
        #expect(check.exitCode == 0, "\(check.errors)")
        try await fixture.start()
        #expect(fixture.terminate() == 0)
        // What a manifest does not name is lowered to the ceiling: for bare scripts too.
        let script = try packs.write(
            "return { spin = function() local n = 0 while true do n = n + 1 end end }",
            to: "spin.lua")
        let spin = ["hooks", "run", script, "--entry", "spin", "--json"]
        let strict = try packs.write(
            "hooks: {ceilings: {instructions: 20000}}\n", to: "strict.yaml")
        for (arguments, low, high) in [
            ([], 1_000_000, Int64.max), (["--config", strict], 0, 100_000),
        ] as [([String], Int64, Int64)] {
            let printed = try json(try await Programs.run(spin + arguments))
            #expect(printed["status"] == "limit")
            let used = printed["usage"]?["instructions"]?.int ?? -1
            #expect((low...high).contains(used), "\(printed)")
        }
    }

    // MARK: crash

    private static func children(of pid: Int32) -> [Int32] {
        let tasks =
            (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        return tasks.flatMap { task in
            ((try? String(contentsOfFile: "/proc/\(pid)/task/\(task)/children", encoding: .utf8))
                ?? "")
                .split(separator: " ").compactMap { Int32($0) }
        }
    }

    /// In clock ticks.
    private static func cpuTime(of pid: Int32) -> Int {
        let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        let fields = stat.split(separator: ")").last?.split(separator: " ") ?? []
        return fields.count > 12 ? (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0) : 0
    }

    /// A real worker, ended by a real signal as a bug of Lua would end it, while its script runs.
    @Test func aWorkerThatCrashesHasItsOwnExitCode() async throws {
        let folder = try TemporaryFolder()
        _ = try await Programs.run(
            "hooks", "new", "mine", "--kind", "check", "--folder", folder.path)
        let manifest = try String(contentsOfFile: folder.path + "/mine/hook.yaml", encoding: .utf8)
        try folder.write(
            manifest.replacing("wall_ms: 1000", with: "wall_ms: 60000\n  instructions: 1000000000")
                .replacing("cpu_ms: 100", with: "cpu_ms: 10000"), to: "mine/hook.yaml")
        try folder.write(
            "return { pre_check = function() while true do end end }\n", to: "mine/main.lua")
        let log = folder.path + "/log"
        let run = try Background(
            ["hooks", "run", folder.path + "/mine", "--entry", "pre_check", "--json"], log: log)
        let worker = try await eventually("a worker spins") {
            Self.children(of: run.processID).flatMap(Self.children(of:))
                .first { Self.cpuTime(of: $0) >= 3 }
        }
        #expect(kill(worker, SIGSEGV) == 0)
        let code = try await eventually("the command ends") { run.isRunning ? nil : run.exitCode }
        let text = try String(contentsOfFile: log, encoding: .utf8)
        #expect(code == 14, "\(text)")
        let printed = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect(printed["status"] == "crash" && printed["value"] == .null)
        #expect(printed["error"] == "the sandbox worker was ended by signal 11", "\(printed)")
    }
}
