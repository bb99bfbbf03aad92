import ContinuityCore
import Foundation
import Glibc

@testable import ContinuityAgent

/// A service made of `sleep` processes in a temporary directory, and a status that is a file.
final class StandInService: Sendable {
    let root: String
    var directory: String { "\(root)/data" }
    var pidFile: String { "\(root)/main.pid" }
    var statusFile: String { "\(root)/status.json" }
    var stateFile: String { "\(root)/agent.json" }
    /// One line for each run of a command that `logged` made.
    var logFile: String { "\(root)/log" }

    init() throws {
        root = "/tmp/continuity-agent-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: "\(root)/data", withIntermediateDirectories: true)
    }

    deinit {
        for pid in processes.scan().alive { kill(pid, SIGKILL) }
        OrphanReaper.shared.reap()
        try? FileManager.default.removeItem(atPath: root)
    }

    var processes: ServiceProcesses { ServiceProcesses(directory: directory, pidFile: pidFile) }

    func say(_ role: ServiceReport.Role, position: Int64 = 1000, streaming: Bool = false) throws {
        let text = #"""
            {"role":"\#(role)","position_bytes":\#(position),"lag_ms":null,"streaming":\#(streaming)}
            """#
        try Data(text.utf8).write(to: URL(fileURLWithPath: statusFile), options: .atomic)
    }

    /// Starts the main process, which ignores SIGTERM when `stubborn`, with `children` beside it
    /// that outlive it. It is a daemon: in its own session, and it keeps the output open.
    func script(stubborn: Bool = false, children: Int = 0) -> [String] {
        let trap = stubborn ? "trap '' TERM; " : ""
        let extra = String(repeating: "sleep 300 & ", count: children)
        return [
            "/bin/sh", "-c",
            """
            cd '\(directory)' && setsid /bin/sh -c "\(trap)\(extra)echo \\$\\$ > '\(pidFile).new'; \
            mv '\(pidFile).new' '\(pidFile)'; exec sleep 300" &
            until test -s '\(pidFile)'; do sleep 0.01; done
            """,
        ]
    }

    func start(stubborn: Bool = false, children: Int = 0) async throws {
        try? FileManager.default.removeItem(atPath: pidFile)
        let result = await ProgramRunner.run(
            argv: script(stubborn: stubborn, children: children), timeoutMs: 15_000)
        guard result.succeeded else { throw NeverHappened(description: result.explanation) }
    }

    /// A command that adds a line to the log and then does `then`.
    func logged(_ line: String, then: String = "true", timeoutMs: Int64 = 20_000)
        -> CommandTemplate
    {
        CommandTemplate(
            argv: ["/bin/sh", "-c", "echo \(line) >> '\(logFile)'; \(then)"],
            timeoutMs: timeoutMs)
    }

    var log: [String] {
        let text = (try? String(contentsOfFile: logFile, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    var mainPID: pid_t? { processes.recordedPID() }

    func stopScript(signal: String = "TERM") -> String { "kill -\(signal) $(cat '\(pidFile)')" }

    /// What a command runs to change the status.
    func becomeScript(_ role: ServiceReport.Role) -> String {
        """
        printf '%s' '{"role":"\(role)","position_bytes":2000,"lag_ms":0,"streaming":true}' \
        > '\(statusFile).new'; mv '\(statusFile).new' '\(statusFile)'
        """
    }
}
