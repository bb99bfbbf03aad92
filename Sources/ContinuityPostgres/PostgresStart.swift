import FoundationEssentials
import Glibc

/// Starts a stopped server and waits until it accepts connections: as long as its recovery
/// advances.
package struct PostgresStart: Sendable {
    let installation: PostgresInstallation
    let directory: DataDirectory
    let configFile: String
    let logFile: String
    var stallLimit: Duration = .seconds(300)

    private var processes: PostgresProcesses {
        PostgresProcesses(dataDirectory: directory.path)
    }

    /// - Parameter log: begun before the start.
    /// - Throws: `RejoinFailure`. The server may still run, in its recovery.
    func run(log: ServerLog) async throws { try await run(log: log, locksLeft: 2) }

    /// - Parameter locksLeft: how many locks of dead servers may still be cleared away.
    private func run(log: ServerLog, locksLeft: Int) async throws {
        let program = WatchedProgram(
            argv: PostgresNode.startCommand(
                installation, dataDirectory: directory.path, configFile: configFile,
                logFile: logFile, timeoutSeconds: Self.pgCtlSeconds),
            stallLimit: stallLimit)
        let result: ProgramResult
        do {
            result = try await program.run { _, _ in
                if let failure = StartFailure.find(in: log.lines(), isDead: false) {
                    throw Self.failure(failure, log, isStreaming: false)
                }
                return RecoveryProgress.signature(of: processes)
            }
        } catch let error as PostgresError {
            throw RejoinFailure(
                "it does not accept connections: \(error.message)", details: log.tail(), .stop)
        }
        guard !result.isSuccess else { return }
        guard let failure = StartFailure.find(in: log.lines(), isDead: true) else {
            throw RejoinFailure(
                "it does not start, for a reason that its log does not tell",
                details: log.tail(orElse: Program.lastLines(of: result.output)), .stop)
        }
        if locksLeft > 0, case .surroundings(let text) = failure,
            SocketLock(namedIn: text)?.removeIfStale() == true
        {
            return try await run(log: log, locksLeft: locksLeft - 1)
        }
        throw Self.failure(failure, log, isStreaming: false)
    }

    /// `pg_ctl` itself shall not give up: a hundred days.
    private static let pgCtlSeconds = 8_640_000

    static func failure(
        _ failure: StartFailure, _ log: ServerLog, isStreaming: Bool
    ) -> RejoinFailure {
        switch failure {
        case .data(let text):
            RejoinFailure("its data cannot follow: \(text)", details: log.tail(), .nextStep)
        case .surroundings(let text):
            RejoinFailure(
                "it does not \(isStreaming ? "stream" : "start"), and a new copy would not mend it: "
                    + text,
                details: log.tail(), isStreaming ? .leaveRunning : .stop)
        case .primary(let text):
            RejoinFailure(
                "the primary does not feed it: \(text)", details: log.tail(),
                isStreaming ? .leaveRunning : .stop)
        }
    }
}

/// Whether a server's recovery advances, by what its processes say of themselves.
enum RecoveryProgress {
    /// Another value whenever it has replayed or received more.
    static func signature(of processes: PostgresProcesses) -> String {
        let state = processes.state ?? ""
        return processes.living().compactMap { pid -> String? in
            let title = ProcessFacts.title(of: pid)
            guard title.contains("startup") || title.contains("walreceiver") else { return nil }
            let isTold =
                title.contains("recovering") || title.contains("waiting for")
                || title.contains("streaming")
            return isTold ? title : "\(title) \(ProcessFacts.bytesMoved(by: pid))"
        }.joined(separator: "|") + state
    }

    /// How far the receiver says that it has put the primary's WAL on disk.
    static func received(by processes: PostgresProcesses) -> WALPosition? {
        for pid in processes.living() {
            let words = ProcessFacts.title(of: pid).split(separator: " ")
            guard let index = words.firstIndex(of: "streaming"), words.contains("walreceiver"),
                index + 1 < words.count, let position = WALPosition(words[index + 1])
            else { continue }
            return position
        }
        return nil
    }
}

extension PostgresProcesses {
    /// What the postmaster's pid file says: `starting`, `ready`, `standby`, `stopping`.
    var state: String? { pidLine(8) }

    /// Where it listens on this machine: the socket's folder and the port.
    var socket: (folder: String, port: Int)? {
        guard let port = pidLine(4).flatMap({ Int($0) }), let folder = pidLine(5),
            folder.hasPrefix("/")
        else { return nil }
        return (folder, port)
    }

    private func pidLine(_ number: Int) -> String? {
        guard
            let text = try? String(
                contentsOfFile: "\(dataDirectory)/postmaster.pid", encoding: .utf8)
        else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= number else { return nil }
        return lines[number - 1].trimmingPrefix(" ").split(separator: " ").first.map(String.init)
    }
}
