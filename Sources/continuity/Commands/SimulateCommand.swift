import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCore
import ContinuitySimulation
import Foundation

extension WhatIf.Scenario: ExpressibleByArgument {}
extension SimulationMutation: ExpressibleByArgument {}

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Try the decision logic in simulated time, without a server.",
        discussion: """
            Three uses. '--seeds 1..1000 --minutes 3' looks for a broken rule under faults by \
            chance; it stops at the first seed that fails, prints its trace and ends with 1. \
            '--cluster FILE --policy FILE --scenario NAME' shows what a policy would do. \
            '--rewrite PATH' writes anew what scenario files expect. The same seed gives the \
            same bytes.
            """)

    @Option(help: "Seeds A..B (or one seed) to run with faults by chance.")
    var seeds: String?

    @Option(help: "For how many simulated minutes faults go on, for each seed.")
    var minutes: Int64 = 3

    @Option(help: "How many of the last lines of a failing seed's trace are printed.")
    var traceLines = 120

    @Flag(help: "Go on after a seed that fails, and name each.")
    var keepGoing = false

    @Option(help: ArgumentHelp("Break a rule on purpose.", visibility: .hidden))
    var mutation: SimulationMutation?

    @Option(help: "The cluster, YAML or JSON.")
    var cluster: String?

    @Option(help: "The policy, YAML or JSON.")
    var policy: String?

    @Option(help: "What happens to the cluster.")
    var scenario: WhatIf.Scenario?

    @Option(help: "The seed of the scenario.")
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp(
            "A folder of packs (repeatable). Default: 'policies' and 'hooks' here. The packs that "
                + "the policy binds run in the sandbox; others are assumed to go well.",
            valueName: "folder"))
    var packs: [String] = []

    @OptionGroup var sandbox: HookSandboxOptions

    @Option(help: "A scenario file, or a folder of them, whose expectations are written anew.")
    var rewrite: String?

    @Flag(help: ArgumentHelp("As a part of 'serve'.", visibility: .hidden))
    var fromServe = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard !fromServe else { return }
        let uses = [seeds != nil, scenario != nil, rewrite != nil].count { $0 }
        guard uses == 1 else {
            throw ValidationError("Give one of --seeds, --scenario and --rewrite.")
        }
        guard scenario == nil || (cluster != nil && policy != nil) else {
            throw ValidationError("--scenario needs --cluster and --policy.")
        }
        guard minutes >= 1, minutes <= 1440 else {
            throw ValidationError("--minutes is 1 to 1440.")
        }
        if seeds != nil, seedRange == nil {
            throw ValidationError("--seeds is A..B with A not above B, for example 1..1000.")
        }
    }

    private var seedRange: ClosedRange<UInt64>? {
        guard let seeds else { return nil }
        let parts = seeds.components(separatedBy: "..").map { UInt64($0) }
        guard let first = parts.first ?? nil, let last = parts.last ?? nil, parts.count <= 2,
            first <= last
        else { return nil }
        return first...last
    }

    func run() async throws {
        try await reporting {
            if fromServe { return try SimulationProcess.run() }
            if let rewrite { return try rewriteFiles(rewrite) }
            if let seedRange { return try sweep(seedRange) }
            try await whatIf()
        }
    }

    // MARK: Sweep

    private func sweep(_ seeds: ClosedRange<UInt64>) throws {
        let clock = ContinuousClock()
        let began = clock.now
        let report = Simulation.sweep(
            seeds: seeds, minutes: minutes, mutation: mutation, keepsGoing: keepGoing
        ) { result in
            guard keepGoing, let violation = result.violation else { return }
            printError("seed \(result.seed) breaks a rule: \(violation.rule): \(violation.detail)")
        }
        let wall = clock.now - began
        if json { try printJSON(report) } else { show(report, wall) }
        guard let failed = report.failedSeed else { return }
        guard !keepGoing else {
            printError("continuity: \(report.failures) of \(report.seedsRun) seeds break a rule")
            throw Exit.unmet
        }
        let again = Simulation.run(
            seed: failed, minutes: minutes, mutation: mutation, isTraced: true)
        printError(again.trace.suffix(traceLines).joined(separator: "\n"))
        printError(
            "continuity: seed \(failed) breaks a rule: \(report.failedRule ?? ""): "
                + "\(report.failedDetail ?? "")")
        printError(
            "continuity: reproduce with: continuity simulate --seeds \(failed)..\(failed) "
                + "--minutes \(minutes)" + (mutation.map { " --mutation \($0.rawValue)" } ?? ""))
        throw Exit.unmet
    }

    private func show(_ report: SweepReport, _ wall: Duration) {
        let seconds = Double(wall.components.seconds) + Double(wall.components.attoseconds) / 1e18
        let simulatedS = Double(report.simulatedMs) / 1000
        print(
            "\(report.seedsRun) seeds, \(report.simulatedMs / 60_000) simulated minutes in "
                + "\(String(format: "%.1f", seconds)) s (\(Int(simulatedS / max(seconds, 0.001))) × real time)"
        )
        print(
            "\(report.runs) runs, \(report.promotions) promotions, "
                + "\(report.acknowledgedWrites) acknowledged writes, "
                + "\(report.lostWrites) lost where replication is asynchronous")
        print("slowest to be well again: \(report.slowestHealingMs / 1000) s after the last fault")
        if report.failedSeed == nil { print("every rule held") }
    }

    // MARK: What if

    private func whatIf() async throws {
        guard let cluster, let policy, let scenario else {
            throw CleanExit.helpRequest(Self.self)
        }
        let described = try ClusterFile.load(file: cluster)
        guard described.topology == .activePassive else {
            throw ConfigError(
                file: cluster, line: nil, message: "an active_active cluster is not simulated yet",
                remedy: "simulate an active_passive one")
        }
        var rules = try PolicyFile.load(file: policy, for: described)
        let found = try SimulationPacks.bind(
            &rules, policyFile: policy, folders: packs.isEmpty ? PackFolders.usual : packs,
            ceiling: try sandbox.ceiling())
        let report = try await SimulationPacks.run(found, sandbox) { [rules, seed] hooks in
            WhatIf.run(
                cluster: described, policy: rules, scenario: scenario, seed: seed, hooks: hooks)
        }
        if json { return try printJSON(report) }
        show(report)
    }

    private func show(_ report: WhatIf.Report) {
        var table = Table("AT", "WHAT", "DETAIL")
        for decision in report.timeline {
            let at = String(format: "%.3f s", Double(decision.atMs) / 1000)
            table.add(at, decision.kind, decision.text)
        }
        print(
            "\(report.scenario.rawValue) of \(report.clusterID) under \(report.policyID), "
                + "seed \(report.seed)\n")
        print(table.text + "\n")
        for outage in report.outages {
            print(
                "outage of \(outage.lengthMs) ms from \(String(format: "%.3f", Double(outage.fromMs) / 1000)) s on"
            )
        }
        print(
            "longest outage \(report.longestOutageMs) ms (rto_s allows \(report.rtoMs) ms), "
                + "\(report.failovers) failovers, \(report.lostWrites) acknowledged writes lost")
        print("holds: \(report.holds.isEmpty ? "none" : report.holds.joined(separator: ", "))")
        print(
            "at the end: \(report.finalHealth), primary \(report.finalPrimary)"
                + (report.finalHold.map { ", held by \($0)" } ?? ""))
        for hook in report.hooks {
            let basis = hook.reason.map { "assumed to go well: \($0)" } ?? "ran in the sandbox"
            print("hook \(hook.pack) at \(hook.stage.rawValue), \(hook.calls) calls: \(basis)")
        }
        if let violation = report.violation { print("a rule did not hold: \(violation)") }
    }

    // MARK: Scenario files

    private func rewriteFiles(_ path: String) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw ConfigError(
                file: path, line: nil, message: "does not exist",
                remedy: "name a .scenario file or a folder of them")
        }
        let files =
            isFolder.boolValue
            ? try FileManager.default.contentsOfDirectory(atPath: path)
                .filter { $0.hasSuffix(".scenario") }.sorted().map { "\(path)/\($0)" }
            : [path]
        var changed = 0
        for file in files {
            let before = try String(contentsOfFile: file, encoding: .utf8)
            let after: String
            do {
                after = try Scenario(text: before).rewritten()
            } catch {
                throw ConfigError(
                    file: file, line: error.line, message: error.message,
                    remedy: "docs/simulation.md describes the lines")
            }
            guard after != before else { continue }
            try after.write(toFile: file, atomically: true, encoding: .utf8)
            changed += 1
        }
        print("\(files.count) scenario files, \(changed) changed; review the difference")
    }
}
