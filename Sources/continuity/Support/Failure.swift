import ArgumentParser
import ContinuityConfig
import ContinuityCore
import ContinuityHooks
import ContinuityStore
import Foundation

/// The exit codes that scripts can rely on, after sysexits.h where it has one.
enum Exit {
    /// What was asked did not hold: a chain that is broken, a demo that failed.
    static let unmet = ExitCode(1)
    /// The chain holds, and yet something in a journal needs a person's eyes.
    static let finding = ExitCode(4)
    /// A rule of the policy or the orchestrator stands against it.
    static let refused = ExitCode(3)
    /// Nothing has begun: others must consent first.
    static let awaitingApproval = ExitCode(5)
    /// A standby's data is not the beginning of the primary's.
    static let diverged = ExitCode(6)
    /// How a hook ended that `hooks run` ran.
    static let hookFailed = ExitCode(10)
    static let hookError = ExitCode(11)
    static let hookLimit = ExitCode(12)
    static let hookDenied = ExitCode(13)
    static let hookCrash = ExitCode(14)
    /// A file, or what the server was given, is not what it must be.
    static let badFile = ExitCode(65)
    static let unavailable = ExitCode(69)
    static let internalError = ExitCode(70)
    /// What was waited for goes on.
    static let stillRunning = ExitCode(75)
}

/// Further lines of the text are set in, so that none looks like a message of ours.
func printError(_ text: String) {
    FileHandle.standardError.write(Data((SafeText.indented(text, by: "    ") + "\n").utf8))
}

/// Prints one line on standard error and gives the exit code to throw.
///
/// With `--json` the line is an object too, so that a program need not read sentences.
func failure(_ message: String, _ code: ExitCode) -> ExitCode {
    guard CommandLine.arguments.contains("--json") else {
        printError("continuity: \(message)")
        return code
    }
    let object: JSONValue = ["error": .string(message), "exit_code": .int(Int64(code.rawValue))]
    printError(String(decoding: CanonicalJSON.bytes(object), as: UTF8.self))
    return code
}

/// Runs a command's body and turns what it throws into one clear line and its exit code.
func reporting(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let code as ExitCode {
        throw code
    } catch let error as CleanExit {
        throw error
    } catch let error as ValidationError {
        throw error
    } catch let error as ConfigError {
        throw failure(SafeText.line("\(error)"), Exit.badFile)
    } catch let error as StoreError {
        throw failure(SafeText.line("\(error)"), Exit.badFile)
    } catch let error as SandboxError {
        throw failure("\(error)", Exit.unavailable)
    } catch {
        throw failure("\(error)", Exit.internalError)
    }
}
