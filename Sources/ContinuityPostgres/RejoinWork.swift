import FoundationEssentials
import Glibc

/// One rejoin, with the lock in hand and the server stopped.
struct RejoinWork: Sendable {
    let settings: PostgresRejoin
    let directory: DataDirectory
    let installation: PostgresInstallation

    private var primary: PrimaryConnection { settings.primary }
    private var inquiry: PrimaryInquiry {
        PrimaryInquiry(installation: installation, primary: primary)
    }
    private var processes: PostgresProcesses {
        PostgresProcesses(dataDirectory: directory.path)
    }
    private var rewind: PostgresRewind {
        PostgresRewind(directory: directory, stallLimit: settings.stallLimit)
    }

    func run() async throws -> PostgresRejoin.Way {
        let facts = try await inquiry.facts()
        let plan = try await plan(facts)
        settings.progress(plan.reason)
        var failures: [String] = []
        for way in plan.ways {
            settings.progress("rejoining \(primary.address) by \(way.rawValue)")
            do {
                try await take(way, facts, plan)
                return way
            } catch let failure as RejoinFailure {
                failures.append("\(way.rawValue): \(failure.error)")
                settings.progress("\(way.rawValue) did not do: \(failure.error)")
                if failure.consequence == .leaveRunning {
                    throw PostgresError(
                        "\(failure.message). It is left running", details: failure.details)
                }
                await stop()
                try await processes.kill()
                try processes.removeStaleLocks()
                guard failure.consequence == .nextStep else {
                    throw PostgresError(
                        "\(way.rawValue): \(failure.message)", details: failure.details)
                }
            }
        }
        throw PostgresError(
            "\(directory.path) could not be made a standby of \(primary.address)",
            details: failures.joined(separator: "\n"))
    }

    private func plan(_ facts: PrimaryFacts) async throws -> RejoinPlan {
        switch directory.exists ? try rewind.remains() : .none {
        case .none: break
        case .prepared:
            settings.progress("an earlier rewind was interrupted before it copied anything")
            return RejoinPlan(ways: [.rewind, .baseBackup], reason: "a rewind was begun")
        case .mixed(let source):
            // A rewind copies what *this* server changed. What came from a source with another
            // history would stay, unseen.
            let isSame = source == facts.identity
            return RejoinPlan(
                ways: isSame ? [.rewind, .baseBackup] : [.baseBackup],
                reason: "an earlier rewind was interrupted, from "
                    + (isSame ? "this primary" : "another primary, or one that has restarted"))
        }
        let state = try await DirectoryState.read(directory, installation)
        let comparison = state.control.map { control in
            HistoryComparison(
                directory: directory, inquiry: inquiry, history: facts.history,
                segmentBytes: control.segmentBytes)
        }
        return try await RejoinPlan.make(state, facts, comparison)
    }

    private func take(
        _ way: PostgresRejoin.Way, _ facts: PrimaryFacts, _ plan: RejoinPlan
    ) async throws {
        switch way {
        case .asItIs:
            try PostgresRejoin.makeStandby(
                installation, dataDirectory: directory.path, of: primary)
        case .rewind:
            guard settings.mayRewind else {
                throw RejoinFailure(
                    "it needs pg_rewind, which takes back what this server has and the primary "
                        + "has not (\(plan.reason)), and that is left to a person: run "
                        + "'continuity postgres rejoin' by hand, or let the policy say "
                        + "'rejoin: keep'", .stop)
            }
            if !facts.hasCheckpoint {
                try await inquiry.waitForCheckpoint(
                    of: facts.history.current, progress: settings.progress)
            }
            try await rewind.run(
                installation, configFile: settings.configFile, from: primary,
                source: facts.identity, keep: { try keepDivergedWAL(facts, $0) }
            ) {
                try PostgresRejoin.makeStandby(
                    installation, dataDirectory: directory.path, of: primary,
                    own: try rewind.ownSettings())
            }
        case .baseBackup: try await copyAnew(facts, plan)
        }
        try await startAndStream(facts)
    }

    /// What a rewind takes back may be writes that were acknowledged. The WAL from where the
    /// histories parted tells them (`pg_waldump`), and stays beside the data directory.
    private func keepDivergedWAL(_ facts: PrimaryFacts, _ control: PostgresControl) throws {
        guard settings.copyPolicy != .discard, let left = facts.history.leftAt[control.timeline]
        else { return }
        let kept = directory.beside(".diverged")
        let first = WALSample.fileName(
            of: left.bytes / control.segmentBytes * control.segmentBytes, on: control.timeline,
            segmentBytes: control.segmentBytes)
        let last = WALSample.fileName(
            of: control.checkpoint.bytes, on: control.timeline,
            segmentBytes: control.segmentBytes)
        let files = FileManager.default
        let names = try files.contentsOfDirectory(atPath: directory.inside("pg_wal"))
            .filter { $0.utf8.count == 24 && $0 >= first && $0 <= last }.sorted()
        guard !names.isEmpty else { return }
        let needed = UInt64(names.count) * control.segmentBytes
        let parent = URL(filePath: directory.path).deletingLastPathComponent().path
        guard let free = DataDirectory.freeBytes(at: parent), free > needed else {
            throw RejoinFailure(
                "there is no room beside \(directory.path) to keep the WAL of what pg_rewind takes "
                    + "back, \(Bytes.text(needed)); make room, or say '--copy discard'", .stop)
        }
        try? files.removeItem(atPath: kept)
        try installation.makeFolder(kept)
        for name in names {
            let copy = "\(kept)/\(name)"
            try files.copyItem(atPath: directory.inside("pg_wal/\(name)"), toPath: copy)
            try installation.giveToServer(copy)
        }
        settings.progress("the WAL of what is taken back is kept in \(kept)")
    }

    private func copyAnew(_ facts: PrimaryFacts, _ plan: RejoinPlan) async throws {
        let holdsData = directory.exists && !directory.isEmpty
        if holdsData {
            guard settings.copyPolicy != .never else {
                throw RejoinFailure(
                    "it needs a new copy (\(plan.reason)), and that is left to a person: "
                        + "--copy keep, or discard", .stop)
            }
            try await refuseForDelay()
        }
        let own = holdsData ? try rewind.ownSettings() : nil
        do {
            try await FreshCopy(
                installation: installation, directory: directory, source: primary,
                stallLimit: settings.stallLimit, policy: settings.copyPolicy,
                progress: settings.progress, sourceTablespaces: facts.tablespaces
            ).run { target in
                try PostgresRejoin.makeStandby(
                    installation, dataDirectory: target, of: primary, own: own)
            }
        } catch let error as PostgresError {
            throw RejoinFailure(error.message, details: error.details, .stop)
        }
        rewind.removeMark()
    }

    /// A standby that applies changes late is kept for the mistakes that it does not have yet: a
    /// new copy would have them.
    private func refuseForDelay() async throws {
        guard settings.copyPolicy != .discard, let delayMs = await delayMs(), delayMs > 0 else {
            return
        }
        throw RejoinFailure(
            "recovery_min_apply_delay is \(delayMs) ms, and a new copy would hold what this one "
                + "keeps back; if that is no loss: --copy discard", .stop)
    }

    /// `recovery_min_apply_delay`, as its files have it.
    private func delayMs() async -> Int64? {
        let printed = try? await Program.mustRun(
            installation.serverProgram(
                "postgres",
                [
                    "-D", directory.path, "-c", "config_file=\(settings.configFile)", "-C",
                    "recovery_min_apply_delay",
                ]))
        return printed.flatMap { Duration.milliseconds(inSetting: $0) }
    }

    /// In an orderly way if it can: a standby that was killed cannot be rewound.
    private func stop() async {
        guard !processes.living().isEmpty else { return }
        _ = try? await Program.run(
            installation.serverProgram(
                "pg_ctl", ["-D", directory.path, "-s", "-w", "-t", "10", "-m", "fast", "stop"]))
    }

    private func startAndStream(_ facts: PrimaryFacts) async throws {
        let log = ServerLog(directory: directory, startFile: settings.logFile)
        try await PostgresStart(
            installation: installation, directory: directory, configFile: settings.configFile,
            logFile: settings.logFile, stallLimit: settings.stallLimit
        ).run(log: log)
        if let delayMs = await delayMs(), delayMs > 0 {
            // Before it asks for more it replays what it holds, each commit at its time.
            settings.progress("it replays with a delay of \(delayMs) ms, and streams afterwards")
            return
        }
        try await waitUntilStreaming(facts, log)
    }

    /// Whether the standby itself says that it is fed: a role with few rights on the primary does
    /// not see it there. Where nobody is let in over the socket, this says nothing.
    private func saysThatItIsFed(_ facts: PrimaryFacts) async throws -> Bool {
        guard let socket = processes.socket else { return false }
        let conninfo = [
            "host=\(Quote.connectionValue(socket.folder))", "port=\(socket.port)",
            "user=\(Quote.connectionValue(installation.runnerName))",
            "dbname=\(PostgresNode.database)", "connect_timeout=3",
        ].joined(separator: " ")
        let question = """
            SELECT \(PostgresNode.isFed) AND held >= \(Quote.literal(facts.position.description))
             AND (SELECT received_tli FROM pg_stat_wal_receiver) = \(facts.history.current)
             FROM (SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) AS held) s
            """
        let answer = try await Program.run(
            installation.serverProgram(
                "psql", ["-XAtq", "--no-password", "-d", conninfo, "-c", question]),
            timeout: .seconds(5))
        return answer.isSuccess && answer.output.hasPrefix("t")
    }

    /// The standby's receiver tells how far it has come, the standby whether it is fed, the primary
    /// whether it feeds: not each of them may be asked everywhere.
    private func waitUntilStreaming(_ facts: PrimaryFacts, _ log: ServerLog) async throws {
        var last = ""
        var moved = ContinuousClock.now
        while true {
            if let received = RecoveryProgress.received(by: processes), received >= facts.position {
                return
            }
            if facts.showsReplication, try await inquiry.feeds(from: facts.position) { return }
            if try await saysThatItIsFed(facts) { return }
            guard !processes.living().isEmpty else {
                let failure = StartFailure.find(in: log.lines(), isDead: true)
                throw failure.map { PostgresStart.failure($0, log, isStreaming: true) }
                    ?? RejoinFailure("it started, and died", details: log.tail(), .stop)
            }
            if let failure = StartFailure.find(in: log.lines(), isDead: false) {
                throw PostgresStart.failure(failure, log, isStreaming: true)
            }
            let now = RecoveryProgress.signature(of: processes)
            if now != last { (last, moved) = (now, .now) }
            guard ContinuousClock.now - moved < settings.streamingLimit else {
                throw RejoinFailure(
                    "it runs as a standby, and that it streams from the primary could not be "
                        + "seen for \(settings.streamingLimit)",
                    details: log.tail(), .leaveRunning)
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}

extension Duration {
    /// A time as PostgreSQL prints one of its settings: `0`, `90s`, `1h`. Without a unit it is in
    /// milliseconds.
    static func milliseconds(inSetting text: String) -> Int64? {
        guard let match = text.firstMatch(of: #/^\s*(\d{1,12})\s*(ms|s|min|h|d)?\s*$/#),
            let number = Int64(match.1)
        else { return nil }
        let factors: [Substring: Int64] = [
            "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000,
        ]
        return number * (match.2.flatMap { factors[$0] } ?? 1)
    }
}
