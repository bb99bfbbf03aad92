import ContinuityPostgres
import FoundationEssentials
import Glibc
import Subprocess
import Synchronization
import SystemPackage

/// One of continuity's own processes, started by the demo, with its output in a file.
final class ChildProcess: Sendable {
    private enum State {
        case waiting
        case running(pid: Int32)
        case ended(String)
    }

    let name: String
    let logFile: String
    private let argv: [String]
    private let state = Mutex(State.waiting)
    /// Whether its end is intended: nobody then takes it for a failure.
    private let mayEnd = Mutex(false)

    init(name: String, argv: [String], logFile: String) {
        self.name = name
        self.argv = argv
        self.logFile = logFile
    }

    var pid: Int32? {
        state.withLock { if case .running(let pid) = $0 { pid } else { nil } }
    }

    /// How it ended, when it ended by itself.
    var unexpectedEnd: String? {
        guard !mayEnd.withLock({ $0 }) else { return nil }
        return state.withLock { if case .ended(let how) = $0 { how } else { nil } }
    }

    /// Runs the process to its end. Cancelled, it gets SIGTERM and after a while SIGKILL.
    func run() async {
        var options = PlatformOptions()
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(3))]
        do {
            let log = try FileDescriptor.open(
                FilePath(logFile), .writeOnly, options: [.create, .append, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
            let result = try await Subprocess.run(
                Configuration(
                    executable: .path(FilePath(argv[0])),
                    arguments: Arguments(Array(argv.dropFirst())), platformOptions: options),
                input: .none, output: .fileDescriptor(log, closeAfterSpawningProcess: true),
                error: .combinedWithOutput
            ) { execution in
                let pid = execution.processIdentifier.value
                self.state.withLock { $0 = .running(pid: pid) }
            }
            state.withLock { $0 = .ended("\(result.terminationStatus)") }
        } catch {
            state.withLock { $0 = .ended("\(error)") }
        }
    }

    /// Sends SIGKILL. Returns once nothing of the process runs any more.
    func kill() async throws {
        mayEnd.withLock { $0 = true }
        guard let pid else { return }
        Glibc.kill(pid, SIGKILL)
        let ended = try await poll(every: .milliseconds(1), for: .seconds(5)) { self.pid == nil }
        guard ended else { throw DemoFailure("\(name) (process \(pid)) survives SIGKILL") }
    }

    /// Makes it ready to be run once more after it was killed.
    func revive() {
        state.withLock { $0 = .waiting }
        mayEnd.withLock { $0 = false }
    }

    var logTail: String {
        let text = (try? String(contentsOfFile: logFile, encoding: .utf8)) ?? ""
        return "--- \(logFile)\n" + Program.lastLines(of: text)
    }
}

/// Runs child processes as they are asked for; cancelled, it ends them all.
struct ChildSupervisor: Sendable {
    private let requests: AsyncStream<ChildProcess>
    private let continuation: AsyncStream<ChildProcess>.Continuation

    init() {
        (requests, continuation) = AsyncStream.makeStream()
    }

    func start(_ child: ChildProcess) { continuation.yield(child) }

    func run() async {
        await withDiscardingTaskGroup { group in
            for await child in requests {
                group.addTask { await child.run() }
            }
        }
    }
}
