import CLinux
import ContinuityNode
import Dispatch
import Foundation
import Glibc

/// Keeps the lease where a restarted agent and an orphaned guard find it: beside the state file.
///
/// Written at each grant, so never synced after the first time: what is written survives the
/// agent's death in the kernel's cache, and a lease of an earlier boot counts as ended anyway.
/// One line, always of the same length, written in one call, so that no reader sees half of it.
final class LeaseFile: Sendable {
    static let length = 256
    private let path: String
    private let kernelBootID: String
    private let queue = DispatchQueue(label: "continuity.agent.lease-file")
    private let file: FileHandle
    let inherited: InheritedLease
    /// The agent whose guard watched over it when this agent began.
    let formerGuard: String

    /// - Parameters:
    ///   - path: created when a lease is held for the first time.
    ///   - now: what a lease of an earlier kernel boot is taken to have ended at.
    /// - Throws: `StateFileError`.
    init(path: String, kernelBootID: String, now: BootInstant) throws {
        self.path = path
        self.kernelBootID = kernelBootID
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw StateFileError(
                description: "\(path) cannot be opened: \(String(cString: strerror(errno)));"
                    + " make its folder writable for the agent's user")
        }
        file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var bytes = [UInt8](repeating: 0, count: Self.length)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let text = String(decoding: bytes[..<max(0, count)], as: UTF8.self)
        guard
            let found = LeaseRecord.inherited(
                from: text, kernelBootID: kernelBootID, now: now,
                slewedNow: BootInstant(milliseconds: continuity_slewed_boot_milliseconds()))
        else {
            throw StateFileError(
                description: "\(path) holds no lease record; remove it once no other node can be "
                    + "primary")
        }
        inherited = found.lease
        formerGuard = found.formerGuard
    }

    /// Returns at once; records are written in the order in which they come.
    func write(_ record: LeaseRecord, isFirst: Bool) {
        let text = record.line(kernelBootID: kernelBootID)
        let bytes = Array(text.utf8.prefix(Self.length - 1))
        let padding = [UInt8](repeating: UInt8(ascii: " "), count: Self.length - 1 - bytes.count)
        let line = bytes + padding + [UInt8(ascii: "\n")]
        let descriptor = file.fileDescriptor
        queue.async { [self] in
            // A failure leaves an earlier end on disk: the safe side.
            _ = withExtendedLifetime(self) { pwrite(descriptor, line, line.count, 0) }
            if isFirst { fsync(descriptor) }
        }
    }

    /// Returns when everything is written, or the disk has not answered for so long.
    func flush(atMostMs: Int) {
        let written = DispatchSemaphore(value: 0)
        queue.async { written.signal() }
        _ = written.wait(timeout: .now() + .milliseconds(atMostMs))
    }
}
