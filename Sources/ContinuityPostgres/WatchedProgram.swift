import FoundationEssentials
import Glibc
import Subprocess
import Synchronization
import SystemPackage

/// A program whose work is as long as the data is: it goes on while something moves, and is ended
/// when nothing has moved for a stated time.
struct WatchedProgram: Sendable {
    let argv: [String]
    /// What is ended when nothing moves this long.
    let stallLimit: Duration
    /// How often is looked.
    var interval: Duration = .milliseconds(200)

    /// Looks at the program while it runs.
    ///
    /// - Parameters: its process id and what it has printed so far.
    /// - Returns: something that is another value whenever the work has advanced.
    /// - Throws: to end the program with that error.
    typealias Look = @Sendable (_ pid: Int32, _ output: String) async throws -> String

    /// - Throws: what `look` threw, or `PostgresError` when nothing moved.
    func run(_ look: @escaping Look) async throws -> ProgramResult {
        let output = try OutputFile()
        let started = Started()
        defer { for pid in started.children.withLock(\.self) { kill(pid, SIGKILL) } }
        return try await withThrowingTaskGroup(of: ProgramResult?.self) { group in
            group.addTask {
                let descriptor = FileDescriptor(rawValue: output.descriptor)
                let result = try await Subprocess.run(
                    Program.configuration(argv), input: .none,
                    output: .fileDescriptor(descriptor, closeAfterSpawningProcess: false),
                    error: .fileDescriptor(descriptor, closeAfterSpawningProcess: false)
                ) { execution in
                    started.pid.withLock { $0 = execution.processIdentifier.value }
                }
                // Its children end with it, if it ended by itself.
                if result.terminationStatus.isSuccess { started.children.withLock { $0 = [] } }
                return ProgramResult(
                    isSuccess: result.terminationStatus.isSuccess, output: output.tail(),
                    status: "\(result.terminationStatus)")
            }
            group.addTask {
                try await watch(output, look, started)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let result = first else {
                throw PostgresError("\(Program.name(argv)) was stopped")
            }
            return result
        }
    }

    private final class Started: Sendable {
        let pid = Mutex<Int32?>(nil)
        let children = Mutex<Set<Int32>>([])
    }

    private func watch(
        _ output: OutputFile, _ look: @escaping Look, _ started: Started
    ) async throws {
        var last = ""
        var moved = ContinuousClock.now
        while true {
            try await Task.sleep(for: interval)
            guard let pid = started.pid.withLock(\.self) else { continue }
            started.children.withLock { $0 = Set(ProcessFacts.children(of: pid)) }
            let now = try await look(pid, output.tail())
            if now != last {
                (last, moved) = (now, .now)
            } else if ContinuousClock.now - moved > stallLimit {
                throw PostgresError(
                    "\(Program.name(argv)): nothing has moved for \(stallLimit), it was ended",
                    details: Program.lastLines(of: output.tail()))
            }
        }
    }

    /// Runs a program that must succeed, for as long as it reads or writes.
    @discardableResult
    func mustRun(_ look: Look? = nil) async throws -> String {
        let result = try await run { pid, output in
            // While all is put on disk at the end no bytes are counted: the waits for the disk are.
            // Whoever waits for a network that is gone has neither.
            let moved = "\(ProcessFacts.bytesMoved(by: pid)) \(ProcessFacts.waits(of: pid))"
            guard let look else { return moved }
            return try await look(pid, output) + moved
        }
        guard result.isSuccess else {
            throw PostgresError(
                "\(Program.name(argv)) failed (\(result.status))",
                details: Program.lastLines(of: result.output))
        }
        return result.output
    }
}

/// What the kernel tells of a process.
enum ProcessFacts {
    static func children(of pid: Int32) -> [Int32] {
        let path = "/proc/\(pid)/task/\(pid)/children"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split(whereSeparator: \.isWhitespace).compactMap { Int32($0) }
    }

    /// All that the process and its children have read and written, in bytes.
    static func bytesMoved(by pid: Int32) -> UInt64 {
        ([pid] + children(of: pid)).reduce(0) { sum, pid in
            let text = (try? String(contentsOfFile: "/proc/\(pid)/io", encoding: .utf8)) ?? ""
            let counted = text.split(separator: "\n").prefix(2).compactMap { line in
                UInt64(line.split(separator: " ").last ?? "")
            }
            return counted.reduce(sum) { $0 &+ $1 }
        }
    }

    /// How often the process has waited for something and gone on.
    static func waits(of pid: Int32) -> Substring {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").last { $0.hasPrefix("voluntary_ctxt") } ?? ""
    }

    /// A process's own words, as `ps` shows them.
    static func title(of pid: Int32) -> String {
        guard let data = try? Data(contentsOf: URL(filePath: "/proc/\(pid)/cmdline")) else {
            return ""
        }
        return String(decoding: data.map { $0 == 0 ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
            .split(separator: " ").joined(separator: " ")
    }
}

/// A file without a name that a program prints to, and that can be read meanwhile.
private final class OutputFile: Sendable {
    let descriptor: CInt
    private static let tailBytes: Int64 = 64 << 10

    init() throws(PostgresError) {
        var template = Array("/tmp/continuity-output-XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else {
            throw PostgresError("no temporary file: \(String(cString: strerror(errno)))")
        }
        unlink(template)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    deinit { close(descriptor) }

    func tail() -> String {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return "" }
        let count = min(Int64(status.st_size), Self.tailBytes)
        let bytes = readBytes(
            descriptor, offset: UInt64(Int64(status.st_size) - count), count: Int(count))
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What is there of `count` bytes from `offset` on.
func readBytes(_ descriptor: CInt, offset: UInt64, count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        initialized = max(0, pread(descriptor, buffer.baseAddress, count, off_t(offset)))
    }
}

func readBytes(_ path: String, offset: UInt64, count: Int) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    return readBytes(descriptor, offset: offset, count: count)
}
