import Subprocess
import SystemPackage

/// What one program printed, and how it ended.
package struct ProgramResult: Sendable {
    package let isSuccess: Bool
    /// Both streams, in the order in which they were written.
    package let output: String
    package let status: String
}

/// Runs programs by argument vector: no shell, nothing to quote.
package enum Program {
    /// The most that is kept of a program's output, in bytes; a program that prints more fails.
    static let maximumOutputBytes = 8 << 20

    /// Runs a program to its end.
    ///
    /// - Parameter timeout: After it the program gets SIGTERM, and SIGKILL half a second later.
    /// - Throws: `PostgresError` when it cannot be started or does not end in time.
    package static func run(
        _ argv: [String], timeout: Duration = .seconds(60)
    ) async throws -> ProgramResult {
        guard let executable = argv.first else { throw PostgresError("no program was named") }
        let configuration = configuration(argv)
        return try await withThrowingTaskGroup(of: ProgramResult?.self) { group in
            group.addTask {
                let result = try await Subprocess.run(
                    configuration, input: .none, output: .string(limit: maximumOutputBytes),
                    error: .combinedWithOutput)
                return ProgramResult(
                    isSuccess: result.terminationStatus.isSuccess,
                    output: result.standardOutput,
                    status: "\(result.terminationStatus)")
            }
            group.addTask {
                try await Task.sleep(for: timeout)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let result = first else {
                throw PostgresError("\(executable) did not end within \(timeout)")
            }
            return result
        }
    }

    static func configuration(_ argv: [String]) -> Configuration {
        var options = PlatformOptions()
        options.teardownSequence = [
            .gracefulShutDown(allowedDurationToNextStep: .milliseconds(500))
        ]
        let executable = argv[0]
        return Configuration(
            executable: executable.contains("/") ? .path(FilePath(executable)) : .name(executable),
            arguments: Arguments(Array(argv.dropFirst())),
            // Messages are searched for words, and a person's PGHOST or PGUSER must not redirect us.
            environment: .inherit.updating([
                "LC_ALL": "C", "PGHOST": nil, "PGPORT": nil, "PGUSER": nil, "PGDATABASE": nil,
                "PGPASSWORD": nil, "PGPASSFILE": nil, "PGSERVICE": nil, "PGOPTIONS": nil,
                "PGDATA": nil,
            ]),
            platformOptions: options)
    }

    /// Runs a program that must succeed, and returns what it printed.
    ///
    /// - Throws: `PostgresError` with the end of its output.
    @discardableResult
    package static func mustRun(
        _ argv: [String], timeout: Duration = .seconds(60)
    ) async throws -> String {
        let result = try await run(argv, timeout: timeout)
        guard result.isSuccess else {
            throw PostgresError(
                "\(name(argv)) failed (\(result.status))", details: lastLines(of: result.output))
        }
        return result.output
    }

    /// The program that is meant, behind those that only start it.
    static func name(_ argv: [String]) -> String {
        let launchers = ["/setpriv", "/runuser", "/flock", "/env"]
        return argv.first { word in
            word.contains("/bin/") && !launchers.contains { word.hasSuffix($0) }
        } ?? argv[0]
    }

    package static func lastLines(of text: String, count: Int = 15) -> String {
        text.split(separator: "\n").suffix(count).joined(separator: "\n")
    }
}

/// Asks again and again until something holds: bounded, and only for what gives no notice of
/// itself (a foreign process, a foreign file).
///
/// - Throws: whatever `condition` throws, or `CancellationError`.
/// - Returns: whether it held before the deadline.
package func poll(
    every interval: Duration = .milliseconds(20), for limit: Duration,
    isolation: isolated (any Actor)? = #isolation,
    _ condition: () async throws -> Bool
) async throws -> Bool {
    let deadline = ContinuousClock.now + limit
    while true {
        if try await condition() { return true }
        guard ContinuousClock.now < deadline else { return false }
        try await Task.sleep(for: interval)
    }
}
