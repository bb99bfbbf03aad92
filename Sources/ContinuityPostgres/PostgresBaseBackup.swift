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

    /// - Throws: `PostgresError` with the end of the program's output.
    func run(timeout: Duration = .seconds(120)) async throws {
        try await Program.mustRun(
            launcher
                + installation.serverProgram(
                    "pg_basebackup",
                    [
                        "-D", target, "-d", source.conninfo, "--checkpoint=fast",
                        "--wal-method=stream", "--no-password",
                    ] + (isSynced ? [] : ["--no-sync"])),
            timeout: timeout)
    }
}
