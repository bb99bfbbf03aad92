import ContinuityCore
import ContinuityPostgres
import Glibc
import UnixSignals

/// Shows on a real PostgreSQL what continuity does when its primary dies.
package struct Demo: Sendable {
    /// How long the client writes before the first fault and between two.
    static let quietTime: Duration = .milliseconds(1500)
    static let usageTime: Duration = .seconds(2)

    private let options: DemoOptions
    private let executablePath: String
    private let console: Console

    /// - Parameter executablePath: of `continuity` itself; `serve` and the agents are started from
    ///   it, and the shipped packs are looked for above it.
    package init(options: DemoOptions, executablePath: String) {
        self.options = options
        self.executablePath = executablePath
        console = Console(isQuiet: options.json)
    }

    /// Runs the demo, prints its report, and leaves nothing running.
    ///
    /// - Returns: the exit code: 0 when everything held, 130 when it was interrupted, else 1.
    package func run() async -> Int32 {
        // A psql whose server dies must not take the demo along.
        signal(SIGPIPE, SIG_IGN)
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let record = DemoRecord(DemoReport(scenario: options.scenario))
        let failure = await withTaskGroup(of: DemoFailure?.self) { group in
            group.addTask {
                for await _ in signals { return DemoFailure("interrupted") }
                return nil
            }
            group.addTask {
                do {
                    try await perform(record)
                    return nil
                } catch let failure as DemoFailure {
                    return failure
                } catch {
                    return DemoFailure("\(error)")
                }
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            // The other one still cleans up.
            await group.waitForAll()
            return first
        }
        var final = record.report
        final.reason = failure?.reason
        conclude(final, failure)
        return failure == nil ? 0 : failure?.reason == "interrupted" ? 130 : 1
    }

    private func conclude(_ report: DemoReport, _ failure: DemoFailure?) {
        if options.json {
            console.document(String(decoding: CanonicalJSON.bytes(report.json), as: UTF8.self))
        } else if report.runs.count > 1, let outage = report.outage {
            console.say()
            console.say(
                "outage over \(report.runs.count) runs: min \(outage.min) ms, "
                    + "median \(outage.median) ms, max \(outage.max) ms")
        }
        if let failure {
            console.complain("continuity demo: \(failure)")
        } else {
            console.say("everything held")
        }
    }

    private func perform(_ record: DemoRecord) async throws {
        guard (1...DemoOptions.maximumRepetitions).contains(options.repetitions) else {
            throw DemoFailure(
                "the fault can be repeated 1 to \(DemoOptions.maximumRepetitions) times, "
                    + "not \(options.repetitions)")
        }
        // Whatever is missing shows before anything is set up.
        let home =
            options.scenario == .byHand
            ? "" : try ProjectHome.locate(executablePath: executablePath)
        let installation: PostgresInstallation
        do {
            installation = try await PostgresInstallation.locate()
        } catch {
            throw DemoFailure("\(error)")
        }
        let folder = try DemoFolder.create()
        console.say("everything stands in \(folder.path)")
        let layout: DemoLayout
        do {
            layout = try DemoLayout(folder: folder, installation: installation)
            try await withGuard(layout) { try await play(layout, home: home, record) }
        } catch {
            await leave(folder)
            throw error
        }
        await leave(folder)
    }

    private func leave(_ folder: DemoFolder) async {
        if options.keep {
            console.say("configuration, logs and journal are kept in \(folder.path)")
        } else {
            folder.remove()
        }
    }

    /// Sees to it that no PostgreSQL outlives the demo: by itself at the end, and through a guard
    /// when the demo is killed.
    private func withGuard(
        _ layout: DemoLayout, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let guardian = ServerGuard(
            directories: layout.postgres.nodes.map(\.dataDirectory),
            folder: options.keep ? nil : layout.folder.path)
        let leftovers = Leftovers(
            folder: layout.folder.path, executable: executablePath,
            binDirectory: layout.postgres.nodes[0].installation.binDirectory)
        let outcome: Result<Void, any Error> = await guardian.watch {
            let outcome: Result<Void, any Error>
            do {
                try await body()
                outcome = .success(())
            } catch {
                outcome = .failure(error)
            }
            // Not to be cancelled: this is what leaves nothing running.
            await Task {
                await leftovers.kill()
                await layout.postgres.stop()
            }.value
            return outcome
        }
        try outcome.get()
    }

    private func play(
        _ layout: DemoLayout, home: String, _ record: DemoRecord
    ) async throws {
        console.say("setting up PostgreSQL on \(layout.members.map(\.id).joined(separator: ", "))")
        try await layout.postgres.create()
        try await WriteProbe.createTable(on: layout.postgres.nodes[0])
        if options.scenario == .byHand {
            try await playByHand(layout, record)
        } else {
            try await playFaults(layout, home: home, record)
        }
    }

    private func playByHand(_ layout: DemoLayout, _ record: DemoRecord) async throws {
        let probe = WriteProbe(nodes: layout.postgres.nodes)
        try await withThrowingTaskGroup { group in
            group.addTask { await probe.run() }
            defer { group.cancelAll() }
            var rounds = ByHandRounds(probe: probe, cluster: layout.postgres, console: console)
            for _ in 0..<options.repetitions {
                try await Task.sleep(for: Self.quietTime)
                try settle(try await rounds.run(), record)
            }
        }
    }

    private func playFaults(
        _ layout: DemoLayout, home: String, _ record: DemoRecord
    ) async throws {
        try DemoFiles(
            layout: layout, profile: options.profile ?? .standard, home: home,
            executable: executablePath
        ).write()
        let session = try DemoSession(
            options: options, layout: layout, executable: executablePath, console: console)
        try await withThrowingTaskGroup { group in
            group.addTask { await session.supervisor.run() }
            group.addTask { await session.receiver.run() }
            group.addTask { await session.journal.run() }
            defer { group.cancelAll() }
            let agents = Dictionary(
                uniqueKeysWithValues: layout.members.map { ($0.id, session.makeAgent($0)) })
            session.supervisor.start(session.nameServer)
            try await session.expectRecord(of: layout.members[0].id, agents: [])
            console.say("starting one orchestrator and \(agents.count) agents")
            session.supervisor.start(session.serve)
            agents.values.forEach(session.supervisor.start)
            try await session.expectHealthy(within: .seconds(60), agents: Array(agents.values))
            try await show(session)
            if let pid = session.serve.pid {
                let usage = try await ProcessUsage.measure(pid, over: Self.usageTime)
                record.change { $0.serveUsage = usage }
            }
            group.addTask { await session.probe.run() }
            var rounds = FaultRounds(session: session, agents: agents)
            for _ in 0..<options.repetitions {
                try await Task.sleep(for: Self.quietTime)
                if options.scenario == .drill {
                    try await drill(session, record)
                } else {
                    try settle(try await rounds.run(), record)
                }
            }
            try await verifyJournal(layout)
            try await show(session)
        }
    }

    private func drill(_ session: DemoSession, _ record: DemoRecord) async throws {
        for scenario in DrillScenario.allCases {
            let report = try await DrillRound(session: session, scenario: scenario.rawValue).run()
            record.change { $0.drills.append(report) }
        }
    }

    /// Records and prints one run.
    ///
    /// - Throws: `DemoFailure` when it does not hold; it stands in the report all the same.
    private func settle(_ run: RunReport, _ record: DemoRecord) throws {
        record.change { $0.runs.append(run) }
        run.lines.forEach { console.say($0) }
        if let shortcoming = run.shortcoming { throw DemoFailure(shortcoming) }
    }

    private func show(_ session: DemoSession) async throws {
        let status = try await session.client.status()
        console.say()
        console.say("\(status.clusterID) is \(status.state.rawValue)")
        status.table.lines.forEach { console.say("  " + $0) }
        console.say()
    }

    private func verifyJournal(_ layout: DemoLayout) async throws {
        let argv = [
            executablePath, "audit", "verify", "--journal", layout.journalFile, "--public-key",
            layout.folder.file("audit.key.pub"), "--witness", layout.folder.path,
        ]
        let result = try await Program.run(argv, timeout: .seconds(30))
        guard result.isSuccess else {
            throw DemoFailure("audit verify failed (\(result.status))", details: result.output)
        }
        for line in result.output.split(separator: "\n") { console.say("audit verify: \(line)") }
    }
}
