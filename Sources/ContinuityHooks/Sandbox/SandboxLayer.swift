/// One layer of the sandbox's confinement. The raw value is its name for people and in JSON.
package enum SandboxLayer: String, CaseIterable, Sendable {
    case seccomp
    case landlock
    case userNamespace = "user namespace"
    case networkNamespace = "network namespace"
    case noNewPrivileges = "no_new_privs"
    case noCapabilities = "no capabilities"
    case notDumpable = "not dumpable"
    case rlimits
    case cpuTimer = "cpu timer"
    case parentDeath = "parent-death signal"
    case closedDescriptors = "closed descriptors"
    case emptyEnvironment = "empty environment"

    /// Its bit as the sandbox sends it (Sources/HookSandbox/confine.h).
    var bit: UInt64 {
        switch self {
        case .seccomp: 1 << 0
        case .userNamespace: 1 << 1
        case .networkNamespace: 1 << 2
        case .noNewPrivileges: 1 << 3
        case .noCapabilities: 1 << 4
        case .notDumpable: 1 << 5
        case .landlock: 1 << 6
        case .rlimits: 1 << 7
        case .cpuTimer: 1 << 8
        case .parentDeath: 1 << 9
        case .closedDescriptors: 1 << 10
        case .emptyEnvironment: 1 << 11
        }
    }

    /// What it stops, in one line.
    package var purpose: String {
        switch self {
        case .seccomp: "any system call but the few that a worker needs ends it"
        case .landlock: "no path can be opened, made or changed"
        case .userNamespace: "no user of this machine, so no file or process belongs to it"
        case .networkNamespace: "no network interface, not even loopback"
        case .noNewPrivileges: "no program could raise its rights"
        case .noCapabilities: "none of root's rights"
        case .notDumpable: "other processes of the same user cannot read its memory"
        case .rlimits: "address space, descriptors, processes, file size and processor time end"
        case .cpuTimer: "ends it when its processor time is used up"
        case .parentDeath: "it does not outlive the sandbox"
        case .closedDescriptors: "nothing is open but its one socket"
        case .emptyEnvironment: "nothing to read in the environment"
        }
    }

    /// What an operator can do where it is missing.
    package var remedy: String {
        switch self {
        case .seccomp: "use a kernel and a container profile that allow seccomp filters"
        case .landlock:
            "needs Linux 5.13 or later with 'landlock' among the security modules (lsm= at boot), "
                + "and a container profile that allows it"
        case .userNamespace:
            "allow user namespaces: user.max_user_namespaces above 0, and a container or "
                + "AppArmor profile that permits them"
        case .networkNamespace: "comes with user namespaces, or when serve runs as root"
        case .noNewPrivileges, .noCapabilities, .notDumpable, .rlimits, .cpuTimer, .parentDeath,
            .closedDescriptors, .emptyEnvironment:
            "every Linux that continuity supports has it; look at the container's profile"
        }
    }
}

/// Which layers of confinement hold on this machine: each was tried by a confined process.
package struct SandboxReport: Hashable, Sendable {
    private let layers: UInt64

    /// `layers` as the sandbox sends them (Sources/HookSandbox/confine.h).
    init(layers: UInt64) { self.layers = layers }

    package func holds(_ layer: SandboxLayer) -> Bool { layers & layer.bit != 0 }

    package var active: [SandboxLayer] { SandboxLayer.allCases.filter(holds) }
    package var missing: [SandboxLayer] { SandboxLayer.allCases.filter { !holds($0) } }
}

/// What is required of a machine before hooks run on it.
package enum SandboxStrictness: String, Sendable, CaseIterable {
    /// Seccomp. Other missing layers are logged and reported.
    case standard
    /// Every layer.
    case strict

    func check(_ report: SandboxReport) throws(SandboxError) {
        let missing = report.missing
        guard self == .strict, let first = missing.first else { return }
        throw SandboxError(
            message: "the sandbox is to be strict, and this machine lacks: "
                + missing.map(\.rawValue).joined(separator: ", "),
            remedy:
                "\(first.rawValue): \(first.remedy); or accept the rest with 'sandbox: standard'")
    }
}

/// Why the sandbox cannot be started, and what to do.
package struct SandboxError: Error, Equatable, CustomStringConvertible {
    package let message: String
    package let remedy: String

    package var description: String { "\(message); \(remedy)" }
}
