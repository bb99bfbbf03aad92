package import ArgumentParser
import ContinuityConfig
import ContinuityCore
import Foundation

/// The exit codes that scripts can rely on, after sysexits.h where it has one.
package enum Exit {
    /// What was asked did not hold: a chain that is broken, a demo that failed.
    package static let unmet = ExitCode(1)
    /// The chain holds, and yet something in a journal needs a person's eyes.
    package static let finding = ExitCode(4)
    /// A rule of the policy or the orchestrator stands against it.
    package static let refused = ExitCode(3)
    /// Nothing has begun: others must consent first.
    package static let awaitingApproval = ExitCode(5)
    /// Of `postgres follow`: the standby's data is not the beginning of the primary's.
    package static let diverged = ExitCode(CommandResult.divergedStatus)
    /// How a hook ended that `hooks run` ran.
    package static let hookFailed = ExitCode(10)
    package static let hookError = ExitCode(11)
    package static let hookLimit = ExitCode(12)
    package static let hookDenied = ExitCode(13)
    package static let hookCrash = ExitCode(14)
    /// A file, or what the server was given, is not what it must be.
    package static let badFile = ExitCode(65)
    package static let unavailable = ExitCode(69)
    package static let internalError = ExitCode(70)
    /// What was waited for goes on.
    package static let stillRunning = ExitCode(75)
    /// Of `postgres prepare`: something would keep the server from stopping.
    package static let hindered = ExitCode(CommandResult.hinderedStatus)
}

/// Further lines of the text are set in, so that none looks like a message of ours.
package func printError(_ text: String) {
    FileHandle.standardError.write(Data((SafeText.indented(text, by: "    ") + "\n").utf8))
}

/// Prints one line on standard error and gives the exit code to throw.
///
/// With `--json` the line is an object too, so that a program need not read sentences.
package func failure(_ message: String, _ code: ExitCode) -> ExitCode {
    guard CommandLine.arguments.contains("--json") else {
        printError("continuity: \(message)")
        return code
    }
    let object: JSONValue = ["error": .string(message), "exit_code": .int(Int64(code.rawValue))]
    printError(String(decoding: CanonicalJSON.bytes(object), as: UTF8.self))
    return code
}

/// An error whose text a person can act on, and how the program ends with it.
package protocol CommandError: Error {
    var exitStatus: Int32 { get }
}

extension ConfigError: CommandError {
    package var exitStatus: Int32 { Exit.badFile.rawValue }
}

/// Runs a command's body and turns what it throws into one clear line and its exit code.
package func reporting(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let code as ExitCode {
        throw code
    } catch let error as CleanExit {
        throw error
    } catch let error as ValidationError {
        throw error
    } catch let error as any CommandError {
        throw failure(SafeText.line("\(error)"), ExitCode(error.exitStatus))
    } catch {
        throw failure("\(error)", Exit.internalError)
    }
}
