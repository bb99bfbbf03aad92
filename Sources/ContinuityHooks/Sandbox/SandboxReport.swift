/// Which layers of confinement are active on this machine.
package struct SandboxReport: Hashable, Sendable {
    /// The workers' system call filter, tried out when the sandbox started.
    package let seccomp: Bool
    package let userNamespace: Bool
    package let networkNamespace: Bool
    package let noNewPrivileges: Bool
    package let noCapabilities: Bool
    package let notDumpable: Bool

    /// `layers` as the sandbox sends them (Sources/HookSandbox/confine.h).
    init(layers: UInt64) {
        seccomp = layers & 1 << 0 != 0
        userNamespace = layers & 1 << 1 != 0
        networkNamespace = layers & 1 << 2 != 0
        noNewPrivileges = layers & 1 << 3 != 0
        noCapabilities = layers & 1 << 4 != 0
        notDumpable = layers & 1 << 5 != 0
    }

    private var layers: [(name: String, isActive: Bool)] {
        [
            ("seccomp", seccomp), ("user namespace", userNamespace),
            ("network namespace", networkNamespace), ("no_new_privs", noNewPrivileges),
            ("no capabilities", noCapabilities), ("not dumpable", notDumpable),
        ]
    }

    package var active: [String] { layers.filter(\.isActive).map(\.name) }
    package var missing: [String] { layers.filter { !$0.isActive }.map(\.name) }
}

/// Why the sandbox cannot be started, and what to do.
package struct SandboxError: Error, Equatable, CustomStringConvertible {
    package let message: String
    package let remedy: String

    package var description: String { "\(message); \(remedy)" }
}
