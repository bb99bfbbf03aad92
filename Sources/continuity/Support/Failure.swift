import ArgumentParser
import ContinuityCommandLine
import ContinuityHooks
import ContinuityStore

extension StoreError: CommandError {
    package var exitStatus: Int32 { Exit.badFile.rawValue }
}

extension SandboxError: CommandError {
    package var exitStatus: Int32 { Exit.unavailable.rawValue }
}
