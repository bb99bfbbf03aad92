import Foundation
import Glibc
import Subprocess
import SystemPackage
import Testing

/// The programs under test: those of the same build.
enum Programs {
    static let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent()
    static let continuity = folder.appending(path: "continuity").path
    static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    struct Result {
        let exitCode: Int32?
        let output: String
        let errors: String
    }

    static func run(_ arguments: String...) async throws -> Result {
        try await run(arguments)
    }

    static func run(_ arguments: [String]) async throws -> Result {
        try await run(program: continuity, arguments)
    }

    /// Any program, by its path or, as a shell finds it, its name.
    static func run(program: String, _ arguments: [String]) async throws -> Result {
        let result = try await Subprocess.run(
            program.hasPrefix("/") ? .path(FilePath(program)) : .name(program),
            arguments: .init(arguments),
            output: .string(limit: 16 << 20), error: .string(limit: 16 << 20))
        let code: Int32? =
            if case .exited(let code) = result.terminationStatus { code } else { nil }
        return Result(
            exitCode: code, output: result.standardOutput,
            errors: result.standardError)
    }
}

/// A folder that goes away with the test.
final class TemporaryFolder {
    let path: String

    /// - Parameter name: A short one where sockets stand in it: their paths have 107 bytes.
    init(name: String = "continuity-test-\(UUID().uuidString)") throws {
        path = FileManager.default.temporaryDirectory.appending(path: name).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ text: String, to name: String, mode: Int = 0o644) throws -> String {
        let file = path + "/" + name
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return file
    }
}

/// A program that runs beside the test and is killed at its end at the latest.
final class Background {
    private let process = Process()

    /// - Parameter wrapper: A program that runs `program` in its own place.
    init(
        _ arguments: [String], program: String = Programs.continuity, log: String,
        wrapper: [String] = []
    ) throws {
        let command = wrapper + [program] + arguments
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        try #require(FileManager.default.createFile(atPath: log, contents: nil))
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        try handle.seekToEnd()
        process.standardError = handle
        process.standardOutput = handle
        try process.run()
    }

    deinit { kill(SIGKILL) }

    var isRunning: Bool { process.isRunning }

    var processID: Int32 { process.processIdentifier }

    /// `nil` while it runs, and when a signal ended it.
    var exitCode: Int32? {
        process.isRunning || process.terminationReason != .exit ? nil : process.terminationStatus
    }

    /// Sends a signal and does not wait for what comes of it.
    func send(_ signal: Int32) { Glibc.kill(process.processIdentifier, signal) }

    func kill(_ signal: Int32) {
        guard process.isRunning else { return }
        Glibc.kill(process.processIdentifier, signal)
        process.waitUntilExit()
    }
}

/// Waits until a condition holds; a test that waits in vain fails with what it waited for.
func eventually<Value>(
    _ what: String, within limit: Duration = .seconds(20),
    _ condition: () async throws -> Value?
) async throws -> Value {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if let value = try await condition() { return value }
        try await Task.sleep(for: .milliseconds(20))
    }
    throw WaitedInVain(what: what)
}

struct WaitedInVain: Error, CustomStringConvertible {
    let what: String
    var description: String { "waited in vain until \(what)" }
}

/// A port that was free a moment ago.
func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return try withUnsafeMutablePointer(to: &address) { pointer in
        try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            try #require(bind(descriptor, $0, length) == 0)
            try #require(getsockname(descriptor, $0, &length) == 0)
        }
        return Int(UInt16(bigEndian: pointer.pointee.sin_port))
    }
}
