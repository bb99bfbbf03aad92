package import ContinuityConfig
import ContinuityCore
import ContinuityCrypto
import Foundation

/// A hook as it stands on disk, read once: what is run is what was digested.
package struct HookPack: Hashable, Sendable {
    static let manifestFile = "hook.yaml"
    static let scriptFile = "main.lua"
    static let manifestBytesMax = 64 << 10
    static let scriptBytesMax = 256 << 10

    package let folder: String
    package private(set) var manifest: HookManifest
    /// The text of `main.lua`.
    package let script: String
    /// SHA-256 over the bytes of `hook.yaml`, in hexadecimal.
    package let manifestSHA256: String
    /// SHA-256 over the bytes of `main.lua`, in hexadecimal.
    package let scriptSHA256: String
    /// SHA-256 over the canonical JSON of the two digests above: what an operator pins.
    package let packSHA256: String

    package static func load(
        folder: String, ceiling: HookBudgets = .maximum
    ) throws(ConfigError) -> HookPack {
        let manifestPath = folder + "/" + manifestFile
        let manifestText = try text(of: manifestPath, bytesMax: manifestBytesMax)
        let scriptText = try text(of: folder + "/" + scriptFile, bytesMax: scriptBytesMax)
        return try HookPack(
            folder: folder, manifestText: manifestText, manifestFile: manifestPath,
            script: scriptText, ceiling: ceiling)
    }

    /// A pack from texts in memory. `manifestFile` is the name that errors show.
    package init(
        folder: String, manifestText: String, manifestFile: String, script: String,
        ceiling: HookBudgets = .maximum
    ) throws(ConfigError) {
        self.folder = folder
        self.script = script
        manifest = try HookManifest(text: manifestText, file: manifestFile, ceiling: ceiling)
        manifestSHA256 = hexString(SHA256.digest(Array(manifestText.utf8)))
        scriptSHA256 = hexString(SHA256.digest(Array(script.utf8)))
        let digests: JSONValue = [
            "manifest_sha256": .string(manifestSHA256), "script_sha256": .string(scriptSHA256),
        ]
        packSHA256 = hexString(SHA256.digest(CanonicalJSON.bytes(digests)))
    }

    /// The same with the longest times of any server: for runs whose verdict must be the same on a
    /// slow or busy machine. Instructions, memory and output bound them as ever.
    package var withLongestTimes: HookPack {
        var pack = self
        pack.manifest.budgets.cpuMs = HookBudgets.maximum.cpuMs
        pack.manifest.budgets.wallMs = HookBudgets.maximum.wallMs
        return pack
    }

    /// A script that stands alone: default budgets, no capabilities, and no manifest of its own.
    /// With the entry `admit` it is a policy, else a check.
    package static func bare(
        script file: String, entry: String, ceiling: HookBudgets = .maximum
    ) throws(ConfigError) -> HookPack {
        let script = try text(of: file, bytesMax: scriptBytesMax)
        let isPolicy = entry == Stage.admit.rawValue
        let stage = isPolicy ? .admit : Stage(rawValue: entry) ?? .preCheck
        return try HookPack(
            folder: URL(fileURLWithPath: file).deletingLastPathComponent().path,
            manifestText: """
                api: hooks/v1
                name: script
                version: "0"
                kind: \(isPolicy ? "policy" : "check")
                stages: [\(stage.rawValue)]
                """,
            manifestFile: file, script: script, ceiling: ceiling)
    }

    private static func text(of file: String, bytesMax: Int) throws(ConfigError) -> String {
        try BoundedFile.text(
            of: file, bytesMax: bytesMax, onlyRegular: true,
            remedy: "a pack is a folder with \(manifestFile) and \(scriptFile)")
    }
}
