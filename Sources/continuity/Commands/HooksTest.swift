import ArgumentParser
import ContinuityCommandLine
import ContinuityCore
import ContinuityHooks

struct HooksTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run the fixtures of packs in the real sandbox, with fake answers.",
        discussion: "Exits with 1 when a fixture fails, or a pack has none.")

    @Argument(help: "Packs, or folders of packs.")
    var packs: [String]

    @Flag(help: "Tell which lines of the script no fixture reaches.")
    var coverage = false

    @Flag(help: "Print JSON, one object a line.")
    var json = false

    @OptionGroup var sandbox: HookSandboxOptions

    private struct Case: Encodable {
        var name: String
        var file: String
        var ok: Bool
        var differences: [String]
    }

    private struct Lines: Encodable {
        var active: Int
        var executed: Int
        var missed: [Int]
    }

    private struct Finding: Encodable {
        var pack: String
        var ok: Bool
        var cases: [Case]
        var coverage: Lines?
    }

    func run() async throws {
        try await reporting {
            var failures = 0
            var cases = 0
            try await sandbox.withRuntime { runtime in
                for folder in try packs.flatMap(PackFolders.packs(in:)) {
                    let finding = try await test(folder, runtime)
                    cases += finding.cases.count
                    failures += finding.cases.filter { !$0.ok }.count
                    if finding.cases.isEmpty { failures += 1 }
                    if json { try printJSON(finding) } else { show(finding) }
                }
            }
            if failures > 0 { throw failure("\(failures) of \(cases) cases failed", Exit.unmet) }
        }
    }

    private func test(_ folder: String, _ runtime: HookRuntime) async throws -> Finding {
        let pack = try HookPack.load(folder: folder, ceiling: sandbox.ceiling())
        var cases: [Case] = []
        var executed: Set<Int> = []
        var active: Set<Int> = []
        for fixture in try HookFixture.loadAll(packFolder: folder) {
            let result = await fixture.runWithCoverage(pack, in: runtime)
            executed.formUnion(result.coverage.executed)
            active.formUnion(result.coverage.active)
            cases.append(
                Case(
                    name: fixture.name, file: fixture.file, ok: result.differences.isEmpty,
                    differences: result.differences))
        }
        let missed = active.subtracting(executed).sorted()
        return Finding(
            pack: pack.manifest.name, ok: !cases.isEmpty && cases.allSatisfy(\.ok), cases: cases,
            coverage: coverage
                ? Lines(active: active.count, executed: active.count - missed.count, missed: missed)
                : nil)
    }

    private func show(_ finding: Finding) {
        print(SafeText.line(finding.pack))
        if finding.cases.isEmpty { print("  FAIL  it has no fixtures in tests/*.yaml") }
        for test in finding.cases {
            print("  \(test.ok ? "ok  " : "FAIL")  \(SafeText.line(test.name))")
            guard !test.ok else { continue }
            print("        " + SafeText.line(test.file))
            for difference in test.differences {
                // Tracebacks have several lines; they stay below their case.
                print("        " + SafeText.indented(difference, by: "          "))
            }
        }
        guard let lines = finding.coverage else { return }
        let percent = lines.active == 0 ? 100 : lines.executed * 100 / lines.active
        let missed = lines.missed.isEmpty ? "" : "; not reached: \(Self.ranges(lines.missed))"
        print("  \(percent) % of lines (\(lines.executed) of \(lines.active))\(missed)")
    }

    /// `3, 7-9` for 3, 7, 8, 9.
    static func ranges(_ lines: [Int]) -> String {
        var ranges: [ClosedRange<Int>] = []
        for line in lines {
            if let last = ranges.last, last.upperBound + 1 == line {
                ranges[ranges.count - 1] = last.lowerBound...line
            } else {
                ranges.append(line...line)
            }
        }
        return ranges.map {
            $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
        }.joined(separator: ", ")
    }
}
