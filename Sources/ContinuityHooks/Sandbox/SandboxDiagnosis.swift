import Foundation
import Glibc

/// What `continuity hooks doctor` shows: every layer, and each attempt of a confined process to do
/// what it must not, tried now on this machine.
package struct SandboxDiagnosis: Sendable {
    package struct Layer: Sendable {
        package var layer: SandboxLayer
        package var isActive: Bool
        /// More about it, as the version of Landlock; may be empty.
        package var detail: String
    }

    package struct Attempt: Sendable {
        package var name: String
        /// The kernel ended the process that tried.
        package var wasStopped: Bool
    }

    package var layers: [Layer]
    package var attempts: [Attempt]

    package var escapes: [Attempt] { attempts.filter { !$0.wasStopped } }
    package var missing: [Layer] { layers.filter { !$0.isActive } }

    /// Whether hooks may run here.
    package func suffices(_ strictness: SandboxStrictness) -> Bool {
        let hasFilter = layers.contains { $0.layer == .seccomp && $0.isActive }
        return hasFilter && !attempts.isEmpty && escapes.isEmpty
            && (strictness == .standard || missing.isEmpty)
    }

    /// Runs the sandbox's self-test. Blocks for some 50 ms.
    ///
    /// - Throws: `SandboxError` when the program is missing, or is not the sandbox.
    package static func run(sandboxPath: String) throws(SandboxError) -> SandboxDiagnosis {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: sandboxPath)
        process.arguments = ["--self-test"]
        process.environment = [:]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        do {
            try process.run()
        } catch {
            throw SandboxError(
                message:
                    "cannot start the hook sandbox \(sandboxPath): \(error.localizedDescription)",
                remedy: "install continuity-hook-sandbox beside continuity, or name it with "
                    + HookRuntime.sandboxPathVariable)
        }
        let text = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let diagnosis = SandboxDiagnosis(text)
        guard diagnosis.layers.count == SandboxLayer.allCases.count else {
            throw SandboxError(
                message: "\(sandboxPath) did not report all layers",
                remedy: "check that it is the program that was built with this version")
        }
        return diagnosis
    }

    /// The lines that Sources/HookSandbox/selftest.h describes.
    init(_ text: String) {
        layers = []
        attempts = []
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
                .map(String.init)
            guard parts.count >= 3 else { continue }
            if parts[0] == "layer", let layer = SandboxLayer(rawValue: parts[1]) {
                layers.append(
                    Layer(
                        layer: layer, isActive: parts[2] == "active",
                        detail: parts.count > 3 ? parts[3] : ""))
            } else if parts[0] == "attempt" {
                attempts.append(Attempt(name: parts[1], wasStopped: parts[2] == "killed"))
            }
        }
    }
}
