import Glibc

/// Keeps a second `serve` from writing to the same journal. The kernel releases it with the
/// process, however that ends.
final class JournalFileLock: Sendable {
    private let descriptor: Int32

    init(journal: String) throws(StoreError) {
        let path = journal + ".lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(
                file: path, message: "cannot be created: \(String(cString: strerror(errno)))",
                remedy: "check that the folder exists and may be written to")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw StoreError(
                file: journal, message: "is in use by another 'continuity serve'",
                remedy: "stop that one first, or name another journal")
        }
    }

    deinit { close(descriptor) }
}
