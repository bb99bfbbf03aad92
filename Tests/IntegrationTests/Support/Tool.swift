import Foundation
import Subprocess
import SystemPackage

/// The tools that others would check us with.
enum Tool {
    static func run(
        _ program: String, _ arguments: [String], input: String = ""
    ) async throws -> Programs.Result {
        let result = try await Subprocess.run(
            .path(FilePath("/usr/bin/" + program)), arguments: .init(arguments),
            input: .string(input), output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
        let code: Int32? =
            if case .exited(let code) = result.terminationStatus { code } else { nil }
        return Programs.Result(
            exitCode: code, output: result.standardOutput, errors: result.standardError)
    }

    static func openssl(_ arguments: String...) async throws -> Programs.Result {
        try await run("openssl", arguments)
    }

    static func curl(_ arguments: [String]) async throws -> Programs.Result {
        try await run("curl", ["--silent", "--show-error", "--max-time", "10"] + arguments)
    }
}
