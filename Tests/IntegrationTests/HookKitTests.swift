import ContinuityCore
import Foundation
import Testing

/// The kit as a hook's author uses it: the program itself, the real sandbox, no server.
@Suite(.serialized) struct HookKitTests {
    @Test(arguments: ["policy", "check", "action"])
    func aNewPackChecksAndPassesItsTestsAtOnce(_ kind: String) async throws {
        let folder = try TemporaryFolder()
        let new = try await Programs.run(
            "hooks", "new", "mine", "--kind", kind, "--folder", folder.path)
        #expect(new.exitCode == 0, "\(new.errors)")
        let pack = folder.path + "/mine"
        for file in ["hook.yaml", "main.lua", "README.md", ".luarc.json", "tests/passes.yaml"] {
            #expect(FileManager.default.fileExists(atPath: pack + "/" + file))
        }
        let check = try await Programs.run("hooks", "check", pack, "--json")
        #expect(check.exitCode == 0, "\(check.errors)")
        let found = try JSONDecoder().decode(JSONValue.self, from: Data(check.output.utf8))
        #expect(found["globals"]?.array?.isEmpty == true)
        #expect(found["capabilities"]?.array?.isEmpty == (kind != "action"))
        let test = try await Programs.run("hooks", "test", pack, "--coverage")
        #expect(test.exitCode == 0, "\(test.output)\(test.errors)")
        #expect(test.output.contains("100 % of lines"), "\(test.output)")
        let list = try await Programs.run("hooks", "list", folder.path)
        #expect(list.output.contains("mine"))
        #expect(list.output.contains(found["pack_sha256"]?.string ?? "-"))
        let again = try await Programs.run(
            "hooks", "new", "mine", "--kind", kind, "--folder", folder.path)
        #expect(again.exitCode == 65)
    }

    @Test func theShippedPacksCheckAndPass() async throws {
        let folders = ["policies", "hooks"].map { Programs.repository.appending(path: $0).path }
        let check = try await Programs.run(["hooks", "check"] + folders)
        #expect(check.exitCode == 0, "\(check.output)\(check.errors)")
        let test = try await Programs.run(["hooks", "test"] + folders)
        #expect(test.exitCode == 0, "\(test.output)\(test.errors)")
    }

    /// What `hooks new` writes stands up to luacheck, and the editor's settings name what is there.
    @Test func luacheckAndEditorsAreSettled() async throws {
        let folder = try TemporaryFolder()
        for kind in ["policy", "check", "action"] {
            let pack = "my-\(kind)"
            _ = try await Programs.run(
                "hooks", "new", pack, "--kind", kind, "--folder", folder.path)
            let base = folder.path + "/" + pack
            let luarc = try JSONDecoder().decode(
                JSONValue.self,
                from: Data(contentsOf: URL(fileURLWithPath: base + "/.luarc.json")))
            let libraries = luarc["workspace.library"]?.array?.compactMap(\.string) ?? []
            #expect(libraries == ["library"])
            let shipped = Programs.repository.appending(path: "hooks/library/continuity.d.lua")
            #expect(
                FileManager.default.contentsEqual(
                    atPath: base + "/library/continuity.d.lua", andPath: shipped.path))
            func luacheck() async throws -> Programs.Result {
                try await Programs.run(
                    program: "/bin/sh", ["-c", "cd '\(base)' && luacheck --no-color ."])
            }
            let clean = try await luacheck()
            #expect(clean.exitCode == 0, "\(clean.output)")
            let script = try String(contentsOfFile: base + "/main.lua", encoding: .utf8)
            try folder.write("os.exit()\nglobal = 1\n" + script, to: pack + "/main.lua")
            let misused = try await luacheck()
            #expect(misused.exitCode == 1)
            #expect(misused.output.contains("'os'") && misused.output.contains("'global'"))
        }
    }

    @Test(arguments: [
        ("local function pre_check", "function pre_check", 1, "sets the global 'pre_check'"),
        ("ctx.log(\"fine:\"", "print(\"fine:\"", 1, "reads the global 'print'"),
        ("    return true\nend", "    return true", 65, "main.lua:"),
        ("ctx.log(", "ctx.lgo(", 1, "ctx.lgo does not exist; is it 'log'?"),
        (
            "    return true\nend", "    ctx.http.pots('x')\n    return true\nend", 1,
            "ctx.http.pots does not exist; is it 'post' or 'put'?"
        ),
        (
            "    return true\nend", "    ctx.http.get('x')\n    return true\nend", 1,
            "hook.yaml does not ask for it: add 'capabilities.http'"
        ),
        ("pre_check = pre_check", "other = pre_check", 65, "no function 'pre_check'"),
    ])
    func checkNamesWhatIsWrong(
        _ from: String, _ to: String, _ code: Int32, _ message: String
    ) async throws {
        let folder = try TemporaryFolder()
        _ = try await Programs.run(
            "hooks", "new", "mine", "--kind", "check", "--folder", folder.path)
        let script = folder.path + "/mine/main.lua"
        let text = try String(contentsOfFile: script, encoding: .utf8)
        #expect(text.contains(from))
        try folder.write(text.replacing(from, with: to), to: "mine/main.lua")
        let result = try await Programs.run("hooks", "check", folder.path + "/mine")
        #expect(result.exitCode == code, "\(result.errors)")
        #expect((result.output + result.errors).contains(message), "\(result.output)")
    }

    @Test func aWrongManifestIsToldWithItsLine() async throws {
        let folder = try TemporaryFolder()
        _ = try await Programs.run(
            "hooks", "new", "mine", "--kind", "check", "--folder", folder.path)
        let file = folder.path + "/mine/hook.yaml"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try folder.write(text.replacing("budgets:", with: "budget:"), to: "mine/hook.yaml")
        let result = try await Programs.run("hooks", "check", folder.path + "/mine")
        #expect(result.exitCode == 65)
        #expect(result.errors.contains("hook.yaml:"), "\(result.errors)")
        #expect(result.errors.split(separator: "\n").count == 1)
    }

    @Test func aFailingFixtureIsADifference() async throws {
        let folder = try TemporaryFolder()
        _ = try await Programs.run(
            "hooks", "new", "mine", "--kind", "check", "--folder", folder.path)
        let file = folder.path + "/mine/tests/objects.yaml"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try folder.write(
            text.replacing("lags 9000 ms", with: "lags 1 ms"), to: "mine/tests/objects.yaml")
        let result = try await Programs.run("hooks", "test", folder.path + "/mine")
        #expect(result.exitCode == 1)
        #expect(
            result.output.contains("error: expected 'db-2 lags 1 ms' in it, got 'db-2 lags"),
            "\(result.output)")
    }

    @Test(arguments: ["check", "list"])
    func oneBadPackDoesNotHideTheOthers(_ command: String) async throws {
        let folder = try TemporaryFolder()
        for name in ["a-first", "b-second"] {
            _ = try await Programs.run(
                "hooks", "new", name, "--kind", "check", "--folder", folder.path)
        }
        try folder.write("name: [", to: "a-first/hook.yaml")
        let result = try await Programs.run("hooks", command, folder.path)
        #expect(result.exitCode == 65)
        #expect(result.errors.contains("a-first/hook.yaml"), "\(result.errors)")
        #expect(result.output.contains("b-second"), "\(result.output)")
    }

    /// A billion values in nine lines: refused at once, by every command.
    @Test(arguments: ["check", "test", "list"])
    func aManifestOfAliasesIsRefusedAtOnce(_ command: String) async throws {
        let folder = try TemporaryFolder()
        _ = try await Programs.run(
            "hooks", "new", "mine", "--kind", "check", "--folder", folder.path)
        let names = Array("abcdefghi")
        let lines = names.indices.map { index in
            let value = index == 0 ? "x" : "*\(names[index - 1])"
            let list = Array(repeating: value, count: 10).joined(separator: ",")
            return "      - &\(names[index]) [\(list)]"
        }
        try folder.write(
            """
            api: hooks/v1
            name: mine
            version: "1"
            kind: check
            stages: [pre_check]
            config:
              o:
                type: strings
                default:
            \(lines.joined(separator: "\n"))
            """, to: "mine/hook.yaml")
        let result = try await Programs.run("hooks", command, folder.path + "/mine")
        #expect(result.exitCode == 65)
        #expect(result.errors.contains("hook.yaml:10: '&a' is an anchor"), "\(result.errors)")
    }

    // MARK: What a script, a pack or a file writes

    static let hostile = "\u{1B}[2J\u{1B}]52;c;cm0=\u{7}\u{202E}x\u{9B}31m"

    /// Whether a terminal would obey anything in it; line ends and tabs are the layout's.
    private func isObeyed(_ text: String) -> Bool {
        text.unicodeScalars.contains {
            $0 != "\n" && $0 != "\t"
                && [.control, .format].contains($0.properties.generalCategory)
        }
    }

    @Test func whatAScriptSaysCannotCommandTheTerminalNorForgeALine() async throws {
        let folder = try TemporaryFolder()
        let script = try folder.write(
            """
            local text = '\\27[2J\\27]0;pwned\\7\\xc2\\x9b31m\\xe2\\x80\\xae\\r\\0\\127'
            local forged = text .. '\\nstatus  ok\\nvalue   {"verdict":"allow"}'
            return {
                logs = function(ctx) ctx.log(forged) return { [forged] = forged } end,
                failed = function() return nil, forged end,
                bug = function() error(forged) end,
            }
            """, to: "script.lua")
        for (entry, status) in [("logs", "ok"), ("failed", "failed"), ("bug", "error")] {
            let plain = try await Programs.run("hooks", "run", script, "--entry", entry)
            let text = plain.output + plain.errors
            #expect(!isObeyed(text), "\(text.debugDescription)")
            let lines = plain.output.split(separator: "\n")
            #expect(lines.filter { $0.hasPrefix("status ") } == ["status  \(status)"])
            #expect(lines.count { $0.hasPrefix("value ") } == (entry == "logs" ? 1 : 0))
            let json = try await Programs.run("hooks", "run", script, "--entry", entry, "--json")
            #expect(!isObeyed(json.output), "\(json.output.debugDescription)")
            let value = try JSONDecoder().decode(JSONValue.self, from: Data(json.output.utf8))
            let told = value["logs"]?.array?.first?.string ?? value["error"]?.string ?? ""
            #expect(told.contains("\u{1B}[2J") && told.contains("\u{202E}"))
        }
    }

    @Test func whatAPackAndAFileHoldCannotCommandTheTerminal() async throws {
        let folder = try TemporaryFolder()
        _ = try await Programs.run(
            "hooks", "new", "mine", "--kind", "check", "--folder", folder.path)
        let file = folder.path + "/mine/hook.yaml"
        let manifest = try String(contentsOfFile: file, encoding: .utf8)
        let escaped = #"\e[2J\u202Ex\u009b\nok"#
        // A version, an unknown field, a fixture's name, and a name that the folder itself has.
        try folder.write(
            manifest.replacing("version: 0.1.0", with: "version: \"\(escaped)\""),
            to: "mine/hook.yaml")
        try folder.write(
            "name: \"\(escaped)\"\nentry: pre_check\ncontext: {target: {}}\n"
                + "expect: {status: failed, error: \"\(escaped)\"}\n",
            to: "mine/tests/x\(Self.hostile.replacing("/", with: "")).yaml")
        for command in [["check"], ["test", "--coverage"], ["list"]] {
            let result = try await Programs.run(
                ["hooks", command[0], folder.path + "/mine"] + command.dropFirst())
            let text = result.output + result.errors
            #expect(!isObeyed(text), "\(command): \(text.debugDescription)")
            #expect(text.contains("\\u{1B}[2J"), "\(command): \(text)")
        }
        try folder.write(manifest + "\"\(escaped)\": 1\n", to: "mine/hook.yaml")
        let wrong = try await Programs.run("hooks", "check", folder.path + "/mine")
        #expect(wrong.exitCode == 65 && !isObeyed(wrong.errors))
        #expect(wrong.errors.split(separator: "\n").count == 1, "\(wrong.errors)")
        let cluster = try folder.write("\"\(escaped)\": 1\n", to: "cluster.yaml")
        let plan = try await Programs.run("plan", "--cluster", cluster, "--policy", cluster)
        #expect(plan.exitCode == 65 && !isObeyed(plan.errors))
        // A plan is a document: what is odd in it is spelt, and it is read back as the same plan.
        let good = try folder.write(CommandLineTests.cluster, to: "good.yaml")
        let policy = try folder.write(CommandLineTests.policy, to: "policy.yaml")
        let printed = try await Programs.run(
            "plan", "--cluster", good, "--policy", policy, "--trigger", "x\(Self.hostile)y")
        #expect(printed.exitCode == 0 && !isObeyed(printed.output), "\(printed.errors)")
        let again = try folder.write(printed.output, to: "plan.yaml")
        let read = try await Programs.run("plan", "--read", again)
        #expect(read.exitCode == 0 && read.output == printed.output, "\(read.errors)")
    }

    private static let script = """
        local M = {}
        function M.ok(ctx) ctx.log("n is", ctx.n) return { n = ctx.n } end
        function M.failed() return nil, "nope" end
        function M.error() error("a bug") end
        function M.limit(ctx) while true do ctx.log("x") end end
        function M.denied(ctx) local _, why = ctx.notify("x", { summary = "s" }) return nil, why end
        function M.wall() return (string.rep("a", 2000) .. "b"):find(string.rep(".-", 12) .. "c") end
        return M
        """

    @Test(arguments: [
        ("ok", 0, "ok"), ("failed", 10, "failed"), ("error", 11, "error"), ("limit", 12, "limit"),
        ("wall", 12, "limit"), ("denied", 13, "denied"),
    ])
    func aBareScriptRunsAndEachOutcomeHasItsCode(
        _ entry: String, _ code: Int32, _ status: String
    ) async throws {
        let folder = try TemporaryFolder()
        let script = try folder.write(Self.script, to: "script.lua")
        let input = try folder.write(#"{"n": 4}"#, to: "input.json")
        let result = try await Programs.run(
            "hooks", "run", script, "--entry", entry, "--input", input, "--json")
        #expect(result.exitCode == code, "\(result.errors)")
        let json = try JSONDecoder().decode(JSONValue.self, from: Data(result.output.utf8))
        #expect(
            json.object?.keys.sorted() == [
                "effects", "error", "limit", "logs", "status", "usage", "value",
            ])
        #expect(json["status"]?.string == status)
        for figure in ["instructions", "memory_bytes", "cpu_us", "wall_us"] {
            #expect(json["usage"]?[figure]?.int != nil)
        }
        if entry == "ok" {
            #expect(json["value"] == ["n": 4])
            #expect(json["logs"] == ["n is 4"])
        }
        if entry == "limit" { #expect(json["limit"]?.string == "log") }
    }
}
