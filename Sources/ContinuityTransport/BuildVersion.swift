import CBuildInfo
import ContinuityCore

/// Which program this is: the version's number, and the commit where the build recorded it.
package enum BuildVersion {
    /// Hexadecimal digits, or `unknown` for a build that nobody packaged.
    package static let commit = String(cString: continuity_build_commit())

    /// As in `0.9.0+g1a2b3c4d5e6f`, Semantic Versioning with the commit as build metadata.
    package static let text =
        commit == "unknown"
        ? ProductVersion.number : "\(ProductVersion.number)+g\(commit.prefix(12))"
}
