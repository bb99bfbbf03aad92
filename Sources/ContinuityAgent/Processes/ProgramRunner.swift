import CLinux
import ContinuityNode
import Foundation
import Glibc
import Subprocess
import Synchronization

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

/// How a program ended and what it said.
struct ProgramResult: Sendable {
    enum Ending: Equatable, Sendable {
        case exited(Int32)
        case signalled(Int32)
        case timedOut
        /// It had no fixed time, and nothing moved for as long as it may stand still.
        case stoodStill
        case cancelled
        case failedToStart(String)
        case wroteTooMuch
    }

    var ending: Ending
    /// The first bytes of standard output, for what is to be parsed.
    var output: [UInt8] = []
    /// How much was written to standard output, in bytes.
    var outputSize: Int64 = 0
    /// The last bytes of standard error and standard output, for people.
    var tail: String = ""

    var succeeded: Bool { ending == .exited(0) }

    /// One sentence for people, with the end of the output.
    var explanation: String {
        let cause =
            switch ending {
            case .exited(let code): "exited with status \(code)"
            case .signalled(let signal): "was ended by signal \(signal)"
            case .timedOut: "did not end in time and was killed"
            case .stoodStill: "neither read, wrote nor computed any more and was killed"
            case .cancelled: "was stopped by a later order or the agent's end"
            case .failedToStart(let reason): "could not be started: \(reason)"
            case .wroteTooMuch: "wrote more than \(ProgramRunner.outputLimitBytes) bytes"
            }
        return tail.isEmpty ? cause : "\(cause): \(tail)"
    }
}

/// Runs one program at a time of a caller's choosing, without a shell, in a session of its own.
///
/// Output goes to files in memory, not to pipes: a daemon that a program leaves behind inherits
/// them, and with a pipe the agent would wait for the daemon, or the daemon would be killed by
/// SIGPIPE once the agent stopped reading.
enum ProgramRunner {
    /// A program that writes more is killed.
    static let outputLimitBytes: Int64 = 8 << 20
    static let tailLimitBytes: Int64 = 16 << 10

    /// What a program may take, and what is told of it meanwhile.
    struct Limits: Sendable {
        var totalMs: Int64
        /// For how long nothing of its session may move; `nil`: it is not looked at.
        var stillMs: Int64?
        /// Called whenever something has moved.
        var onMove: @Sendable () -> Void = {}
    }

    private enum Cause { case timedOut, stoodStill, wroteTooMuch }
    private enum Event {
        case ended(ProgramResult.Ending)
        case limitReached(Cause?)
    }

    /// Cancelling the task kills the program's process group.
    static func run(
        argv: [String], environment: [String: String] = [:], timeoutMs: Int64
    ) async -> ProgramResult {
        await run(argv: argv, environment: environment, limits: Limits(totalMs: timeoutMs))
    }

    static func run(
        argv: [String], environment: [String: String] = [:], limits: Limits
    ) async -> ProgramResult {
        precondition(!argv.isEmpty, "a program needs a path")
        guard limits.totalMs > 0 else { return ProgramResult(ending: .timedOut) }
        guard let output = MemoryFile(), let errors = MemoryFile() else {
            return ProgramResult(ending: .failedToStart(String(cString: strerror(errno))))
        }
        let launched = LaunchedProgram()
        let (ending, cause) = await withTaskGroup(of: Event.self) { group in
            group.addTask {
                .ended(await launch(argv, environment, launched, output: output, errors: errors))
            }
            group.addTask {
                .limitReached(await watch(output, errors, launched, limits))
            }
            // Whichever comes first ends the other.
            var ending = ProgramResult.Ending.cancelled
            var cause: Cause?
            for await event in group {
                group.cancelAll()
                switch event {
                case .ended(let how): ending = how
                case .limitReached(let which): cause = which
                }
            }
            return (ending, cause)
        }
        output.freeze()
        errors.freeze()
        return ProgramResult(
            ending: resolve(ending, cause: cause),
            output: output.head(tailLimitBytes), outputSize: output.size, tail: tail(errors, output)
        )
    }

    private static func resolve(
        _ ending: ProgramResult.Ending, cause: Cause?
    ) -> ProgramResult.Ending {
        // A program that ended by itself at the last moment is not called timed out.
        switch (ending, cause) {
        case (.signalled(SIGKILL), .timedOut), (.cancelled, .timedOut): .timedOut
        case (.signalled(SIGKILL), .stoodStill), (.cancelled, .stoodStill): .stoodStill
        case (.signalled(SIGKILL), .wroteTooMuch), (.cancelled, .wroteTooMuch): .wroteTooMuch
        case (.signalled(SIGKILL), nil) where Task.isCancelled: .cancelled
        default: ending
        }
    }

    private static func watch(
        _ output: MemoryFile, _ errors: MemoryFile, _ launched: LaunchedProgram, _ limits: Limits
    ) async -> Cause? {
        let deadline = BootInstant.now + limits.totalMs
        var progress = limits.stillMs.map { SessionProgress(limitMs: $0) }
        while true {
            let remainingMs = deadline - .now
            guard remainingMs > 0 else { return .timedOut }
            let pause = Duration.milliseconds(min(remainingMs, 100))
            guard (try? await Task.sleep(for: pause)) != nil else { return nil }
            if output.size + errors.size > outputLimitBytes { return .wroteTooMuch }
            switch progress?.look(at: launched.pid) {
            case .moved: limits.onMove()
            case .stoodStill: return .stoodStill
            case .nothing, nil: break
            }
        }
    }

    private static func launch(
        _ argv: [String], _ environment: [String: String], _ launched: LaunchedProgram,
        output: MemoryFile, errors: MemoryFile
    ) async -> ProgramResult.Ending {
        guard !Task.isCancelled else { return .cancelled }
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [
            .send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .zero)
        ]
        var updates: [Environment.Key: String?] = [:]
        for (key, value) in environment { updates[Environment.Key(stringLiteral: key)] = value }
        // "/": a program in the service's directory would be taken for a part of the service.
        let configuration = Configuration(
            executable: .path(FilePath(argv[0])), arguments: Arguments(Array(argv.dropFirst())),
            environment: .inherit.updating(updates), workingDirectory: "/",
            platformOptions: options)
        let reaper = OrphanReaper.shared
        reaper.willLaunch()
        defer {
            if let pid = launched.end() {
                reaper.didReap(pid)
            } else {
                reaper.launchFailed()
            }
        }
        do {
            let result = try await Subprocess.run(
                configuration, input: .none,
                output: .fileDescriptor(output.descriptor, closeAfterSpawningProcess: false),
                error: .fileDescriptor(errors.descriptor, closeAfterSpawningProcess: false)
            ) { execution in
                let pid = execution.processIdentifier.value
                launched.began(pid)
                reaper.didLaunch(pid)
            }
            return switch result.terminationStatus {
            case .exited(let code): .exited(code)
            case .signaled(let signal): .signalled(signal)
            }
        } catch {
            return Task.isCancelled ? .cancelled : .failedToStart("\(error)")
        }
    }

    private static func tail(_ errors: MemoryFile, _ output: MemoryFile) -> String {
        let texts = [errors, output].map { file in
            String(decoding: file.tail(tailLimitBytes / 2), as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        return texts.filter { !$0.isEmpty }.joined(separator: "\n")
    }
}

/// An anonymous file in memory that a child writes and the agent reads.
private final class MemoryFile: Sendable {
    let descriptor: FileDescriptor

    init?() {
        let raw = continuity_memory_file("continuity-output")
        guard raw >= 0 else { return nil }
        descriptor = FileDescriptor(rawValue: raw)
    }

    deinit { close(descriptor.rawValue) }

    var size: Int64 { max(0, continuity_file_size(descriptor.rawValue)) }

    /// A daemon that still holds the file cannot fill the machine's memory through it.
    func freeze() { _ = continuity_memory_file_freeze(descriptor.rawValue) }

    func head(_ limit: Int64) -> [UInt8] { read(from: 0, count: min(size, limit)) }

    func tail(_ limit: Int64) -> [UInt8] {
        let size = size
        return read(from: max(0, size - limit), count: min(size, limit))
    }

    private func read(from offset: Int64, count: Int64) -> [UInt8] {
        guard count > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: Int(count)) { buffer, initialized in
            initialized = max(
                0, pread(descriptor.rawValue, buffer.baseAddress, Int(count), off_t(offset)))
        }
    }
}
