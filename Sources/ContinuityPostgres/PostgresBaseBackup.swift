import FoundationEssentials
import Glibc

/// A fresh copy of a running server's data directory.
struct PostgresBaseBackup: Sendable {
    let installation: PostgresInstallation
    let source: PrimaryConnection
    /// Absent or empty; created by the copy.
    let target: String
    /// Whether the copy is on disk when `run` returns.
    let isSynced: Bool
    /// What the program is started with, as in `PostgresPlace`.
    var launcher: [String] = []
    /// Where the copy's WAL stands, when not in `target`.
    var walTarget: String?
    /// Where the source's tablespaces go, by their place there.
    var tablespaces: [String: String] = [:]
    /// Ends the copy when nothing has moved for so long.
    var stallLimit: Duration = .seconds(300)
    /// Told how far it is: bytes copied, and in all.
    var progress: @Sendable (UInt64, UInt64) throws -> Void = { _, _ in }

    /// - Throws: `PostgresError` with the end of the program's output; what `progress` threw.
    func run() async throws {
        var arguments = [
            "-D", target, "-d", source.conninfo, "--checkpoint=fast", "--wal-method=stream",
            "--no-password", "--progress",
        ]
        if !isSynced { arguments.append("--no-sync") }
        if let walTarget { arguments.append("--waldir=\(walTarget)") }
        for (old, new) in tablespaces.sorted(by: { $0.key < $1.key }) {
            arguments.append("--tablespace-mapping=\(Self.escaped(old))=\(Self.escaped(new))")
        }
        let program = WatchedProgram(
            argv: launcher + installation.serverProgram("pg_basebackup", arguments),
            stallLimit: stallLimit)
        try await program.mustRun { _, output in
            guard let (done, total) = Self.progress(in: output) else { return "" }
            try progress(done, total)
            return "\(done) "
        }
    }

    private static func escaped(_ path: String) -> String { path.replacing("=", with: "\\=") }

    /// Of the last `  23180/39393 kB (58%), …`, in bytes.
    static func progress(in output: String) -> (done: UInt64, total: UInt64)? {
        guard let match = output.matches(of: #/(\d+)/(\d+) kB/#).last,
            let done = UInt64(match.1), let total = UInt64(match.2)
        else { return nil }
        return (done << 10, total << 10)
    }
}
