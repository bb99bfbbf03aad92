import FoundationEssentials
import Glibc

/// Where PostgreSQL's programs stand on this machine.
package enum PostgresPrograms {
    private static let needed = [
        "postgres", "pg_ctl", "pg_basebackup", "pg_rewind", "pg_controldata", "psql",
    ]

    /// The packages' folders, the newest version first, then `PATH`.
    package static func folders() -> [String] {
        let debian = "/usr/lib/postgresql"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: debian)) ?? []
        let numbered = names.compactMap(Int.init).sorted(by: >).map { "\(debian)/\($0)/bin" }
        let redHat = stride(from: 30, through: PostgresInstallation.minimumMajorVersion, by: -1)
            .map { "/usr/pgsql-\($0)/bin" }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return numbered + redHat + ["/usr/local/pgsql/bin"]
            + path.split(separator: ":").map(String.init)
    }

    /// `nil` where not all programs are.
    static func majorVersion(in folder: String) async -> Int? {
        guard needed.allSatisfy({ access("\(folder)/\($0)", X_OK) == 0 }),
            let version = try? await Program.mustRun(["\(folder)/postgres", "--version"])
        else { return nil }
        return version.split(separator: " ").lazy
            .compactMap { Int($0.prefix(while: \.isNumber)) }.first
    }
}
