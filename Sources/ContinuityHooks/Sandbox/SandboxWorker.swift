import CLinux
import Glibc

/// A worker that waits for its one invocation, or is in it. Whoever holds it ends it with
/// `SandboxSupervisor.retire`.
struct SandboxWorker: Sendable {
    /// Counts the zygotes of this process; a worker's number is unique within one.
    let generation: UInt64
    let number: UInt32
    let socket: Int32
    let pidfd: Int32

    var hasEnded: Bool { continuity_pidfd_ended(pidfd) != 0 }

    func killAndClose() {
        _ = continuity_pidfd_kill(pidfd)
        close(pidfd)
        close(socket)
    }
}

/// How a worker ended, as the zygote that reaped it tells.
struct WorkerEnd: Sendable {
    /// Sources/HookSandbox/limits.h
    static let limitStatuses: [Int32: String] = [
        80: "instructions", 81: "memory", 82: "output", 83: "log",
    ]

    /// The exit status, or minus the signal.
    let status: Int32
    let cpuUs: Int64

    var signal: Int32? { status < 0 ? -status : nil }
}

/// One message of the zygote: `struct control_message` of Sources/HookSandbox/zygote.h.
struct ControlMessage {
    enum Kind: UInt32 {
        case hello = 1
        case worker = 2
        case ended = 3
    }

    static let byteCount = 24

    let kind: Kind
    let worker: UInt32
    let value: Int32
    let amount: UInt64

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.byteCount,
            let kind = Kind(rawValue: bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
        else { return nil }
        self.kind = kind
        worker = bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        value = bytes.loadUnaligned(fromByteOffset: 8, as: Int32.self)
        amount = bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
    }
}
