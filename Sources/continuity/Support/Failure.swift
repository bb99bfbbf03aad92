import ArgumentParser
import ContinuityCommandLine
import ContinuityHooks
import ContinuityStore

<<<<<<< HEAD
extension StoreError: CommandError {
    package var exitStatus: Int32 { Exit.badFile.rawValue }
=======
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
>>>>>>> 78d7e1cf39e839b44fa23095f86a707897ba5951
}

extension SandboxError: CommandError {
    package var exitStatus: Int32 { Exit.unavailable.rawValue }
}
