import ContinuityCore

/// What a script says of itself once it is compiled and its body has run, before any of its
/// functions is called.
package struct HookInspection: Hashable, Sendable {
    /// The names in the returned table whose values are functions.
    package var functions: Set<String>
    /// The globals that a script of this kind has.
    package var globals: Set<String>

    package struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
        package let message: String
        package var description: String { message }
    }

    /// Compiles the script and runs its body in the sandbox, calling none of its functions.
    ///
    /// - Throws: ``Problem`` with the script's own line when it does not compile, raises an error,
    ///   or does not return a table with a function for each stage of the manifest.
    package static func of(
        _ pack: HookPack, in runtime: HookRuntime
    ) async throws(Problem) -> HookInspection {
        let probe: HookPack
        do {
            probe = try self.probe(pack)
        } catch {
            throw Problem(message: "\(error)")
        }
        let outcome = await runtime.invoke(
            HookInvocation(pack: probe, stage: probe.manifest.stages[0], context: [:]),
            broker: RecordingBroker())
        guard outcome.status == .ok else {
            let what = [outcome.limit.map { "the budget '\($0)' is used up" }, outcome.error]
            throw Problem(
                message: what.compactMap(\.self).joined(separator: ": ")
                    .split(separator: "\n").first.map(String.init) ?? outcome.status.rawValue)
        }
        func names(_ key: String) -> Set<String> {
            Set((outcome.value[key]?.array ?? []).compactMap(\.string))
        }
        guard outcome.value["returned"]?.string == "table" else {
            throw Problem(
                message: "\(pack.manifest.name)/main.lua returns no table of functions "
                    + "(it returns a \(outcome.value["returned"]?.string ?? "nil"))")
        }
        let inspection = HookInspection(functions: names("functions"), globals: names("globals"))
        let missing = pack.manifest.stages.map(\.rawValue)
            .filter { !inspection.functions.contains($0) }
        guard missing.isEmpty else {
            throw Problem(
                message: "\(pack.manifest.name)/main.lua returns no function "
                    + missing.map { "'\($0)'" }.joined(separator: ", ")
                    + ", which hook.yaml names as a stage")
        }
        return inspection
    }

    /// The script as the body of a function, on the same lines, and behind it a function that
    /// tells what came of it.
    private static func probe(_ pack: HookPack) throws -> HookPack {
        let stage: Stage = pack.manifest.kind == .policy ? .admit : .preCheck
        return try HookPack(
            folder: pack.folder,
            manifestText: """
                api: hooks/v1
                name: \(pack.manifest.name)
                version: "0"
                kind: \(pack.manifest.kind.rawValue)
                stages: [\(stage.rawValue)]
                budgets: {wall_ms: 60000, cpu_ms: 10000}
                """,
            manifestFile: pack.folder + "/hook.yaml",
            script: "local inspected = (function(...) " + pack.script + """

                end)()
                local function inspect()
                    local names, globals = {}, {}
                    if type(inspected) == "table" then
                        for name, value in pairs(inspected) do
                            if type(name) == "string" and type(value) == "function" then
                                names[#names + 1] = name
                            end
                        end
                    end
                    for name in pairs(_ENV) do globals[#globals + 1] = tostring(name) end
                    return {
                        verdict = "abstain", reason = "inspected", returned = type(inspected),
                        functions = names, globals = globals,
                    }
                end
                return { \(stage.rawValue) = inspect }
                """)
    }
}
