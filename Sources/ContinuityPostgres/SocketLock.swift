import FoundationEssentials
import Glibc

/// The lock beside a server's socket. A server that was killed leaves it, and the next one takes
/// its owner for alive as long as `kill(pid, 0)` says so: to zombies it does.
struct SocketLock {
    let path: String

    /// - Parameter message: of a server that found it: `lock file "…" already exists`.
    init?(namedIn message: String) {
        let parts = message.split(separator: "\"", omittingEmptySubsequences: false)
        guard message.hasPrefix("lock file"), parts.count >= 3, parts[1].hasSuffix(".lock"),
            parts[1].hasPrefix("/"), parts[1].contains("/.s.PGSQL.")
        else { return nil }
        path = String(parts[1])
    }

    /// Removes the lock and its socket where the process that it names runs no more.
    func removeIfStale() -> Bool {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8),
            let line = text.split(separator: "\n").first, let pid = Int32(line), pid > 0
        else { return false }
        let isAlive = Glibc.kill(pid, 0) == 0 || errno == EPERM
        guard !isAlive || PostgresProcesses.isZombie(pid) else { return false }
        _ = Glibc.unlink(String(path.dropLast(".lock".count)))
        return Glibc.unlink(path) == 0
    }
}
