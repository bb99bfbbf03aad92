import ArgumentParser
import ContinuityCommandLine
import ContinuityHooks

struct HooksDoctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Show whether hooks can be confined on this machine.",
        discussion: """
            Starts the sandbox and lets a confined process try to get out. Exits with 69 when \
            hooks would be refused: without seccomp, when an attempt succeeds, or with --strict \
            when any layer is missing.
            """)

    @Flag(help: "Require every layer, as 'sandbox: strict' in serve.yaml does.")
    var strict = false

    @Option(help: "The hook sandbox program, when it does not stand beside this one.")
    var hookSandbox: String?

    @Flag(help: "Print JSON.")
    var json = false

    private struct Printed: Encodable {
        struct Layer: Encodable {
            var name: String
            var active: Bool
            var detail: String
            var purpose: String
            var remedy: String?
        }
        struct Attempt: Encodable {
            var name: String
            var stopped: Bool
        }
        var ok: Bool
        var layers: [Layer]
        var attempts: [Attempt]
    }

    func run() async throws {
        try await reporting {
            let diagnosis = try SandboxDiagnosis.run(
                sandboxPath: hookSandbox ?? HookRuntime.defaultSandboxPath())
            let isEnough = diagnosis.suffices(strict ? .strict : .standard)
            if json {
                try printJSON(printed(diagnosis, isEnough))
            } else {
                show(diagnosis)
            }
            guard isEnough else {
                throw failure("hooks are refused on this machine", Exit.unavailable)
            }
        }
    }

    private func printed(_ diagnosis: SandboxDiagnosis, _ isEnough: Bool) -> Printed {
        Printed(
            ok: isEnough,
            layers: diagnosis.layers.map {
                Printed.Layer(
                    name: $0.layer.rawValue, active: $0.isActive, detail: $0.detail,
                    purpose: $0.layer.purpose, remedy: $0.isActive ? nil : $0.layer.remedy)
            },
            attempts: diagnosis.attempts.map { .init(name: $0.name, stopped: $0.wasStopped) })
    }

    private func show(_ diagnosis: SandboxDiagnosis) {
        var table = Table("LAYER", "STATE", "WHAT IT DOES")
        for layer in diagnosis.layers {
            let detail = layer.detail.isEmpty ? "" : " (\(layer.detail))"
            table.add(
                layer.layer.rawValue, layer.isActive ? "active" : "MISSING",
                layer.layer.purpose + detail)
        }
        print(table.text)
        let stopped = diagnosis.attempts.count - diagnosis.escapes.count
        print("\nattempts from inside: \(stopped) of \(diagnosis.attempts.count) stopped")
        for escape in diagnosis.escapes { print("  \(escape.name): ALLOWED") }
        for layer in diagnosis.missing {
            print("  \(layer.layer.rawValue): \(layer.layer.remedy)")
        }
    }
}
