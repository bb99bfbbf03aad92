import FoundationEssentials
import Glibc

/// The PostgreSQL programs on this machine, and the user they run as.
package struct PostgresInstallation: Sendable {
    package static let minimumMajorVersion = 15

    /// The folder that holds `postgres`, `pg_ctl` and the others.
    package let binDirectory: String
    package let majorVersion: Int
    package let runner: Runner

    /// Whom the server's programs run as. PostgreSQL refuses to run as root.
    package enum Runner: Sendable, Equatable {
        case caller
        /// Root hands over to this user, through the program at `tool`.
        case user(name: String, uid: UInt32, gid: UInt32, tool: String)
    }

    package init(binDirectory: String, majorVersion: Int, runner: Runner) {
        self.binDirectory = binDirectory
        self.majorVersion = majorVersion
        self.runner = runner
    }

    /// Finds the newest PostgreSQL.
    ///
    /// - Parameter owner: the user that shall run it when the caller is root.
    /// - Throws: `PostgresError` when there is none, it is too old, or `owner` does not exist.
    package static func locate(owner: String = "postgres") async throws -> PostgresInstallation {
        for folder in PostgresPrograms.folders() {
            guard let major = await PostgresPrograms.majorVersion(in: folder) else { continue }
            guard major >= minimumMajorVersion else {
                throw PostgresError(
                    "PostgreSQL at \(folder) is version \(major), \(minimumMajorVersion) is "
                        + "needed; run scripts/install-dependencies")
            }
            return PostgresInstallation(
                binDirectory: folder, majorVersion: major, runner: try runner(owner: owner))
        }
        throw PostgresError(
            "PostgreSQL \(minimumMajorVersion) or newer is not installed; "
                + "run scripts/install-dependencies")
    }

    /// Finds the programs for a data directory: those of the version that wrote it, whatever else
    /// is installed, run by whom it belongs to.
    ///
    /// - Parameters:
    ///   - binDirectory: where they must be; `nil` to look.
    ///   - folders: where to look.
    /// - Throws: `PostgresError` when that version is not installed.
    package static func locate(
        for directory: DataDirectory, binDirectory: String? = nil,
        folders: [String] = PostgresPrograms.folders()
    ) async throws -> PostgresInstallation {
        // A directory that is still to be filled goes to whoever owns the place.
        let owned =
            directory.exists
            ? directory.path : URL(filePath: directory.path).deletingLastPathComponent().path
        let wanted = directory.majorVersion
        var seen: [String] = []
        for folder in binDirectory.map({ [$0] }) ?? folders {
            guard let major = await PostgresPrograms.majorVersion(in: folder) else { continue }
            guard wanted == nil || major == wanted, major >= minimumMajorVersion else {
                seen.append("\(major) in \(folder)")
                continue
            }
            return PostgresInstallation(
                binDirectory: folder, majorVersion: major, runner: try runner(ownerOf: owned))
        }
        let found = seen.isEmpty ? "none was found" : "found: \(seen.joined(separator: ", "))"
        throw PostgresError(
            "\(directory.path) needs the programs of PostgreSQL "
                + "\(wanted.map(String.init) ?? "\(minimumMajorVersion) or newer"); \(found). "
                + "Install them, or name their folder with --bin-directory")
    }

    static func runner(owner: String) throws -> Runner {
        guard geteuid() == 0 else { return .caller }
        guard let entry = getpwnam(owner) else {
            throw PostgresError(
                "PostgreSQL does not run as root, and there is no user '\(owner)' to run it; "
                    + "run scripts/install-dependencies")
        }
        return try runner(name: owner, uid: entry.pointee.pw_uid, gid: entry.pointee.pw_gid)
    }

    /// The runner for files that belong to `uid`: whoever owns a data directory runs its server.
    static func runner(ownerOf path: String) throws -> Runner {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw PostgresError("\(path): \(String(cString: strerror(errno)))")
        }
        guard geteuid() == 0 else { return .caller }
        guard status.st_uid != 0, let entry = getpwuid(status.st_uid) else {
            throw PostgresError(
                "\(path) belongs to user \(status.st_uid), as whom PostgreSQL cannot run; "
                    + "give it to an unprivileged user")
        }
        return try runner(
            name: String(cString: entry.pointee.pw_name), uid: status.st_uid, gid: status.st_gid)
    }

    private static func runner(name: String, uid: UInt32, gid: UInt32) throws -> Runner {
        let tools = ["/usr/bin/setpriv", "/usr/sbin/runuser", "/sbin/runuser"]
        guard let tool = tools.first(where: { access($0, X_OK) == 0 }) else {
            throw PostgresError(
                "neither setpriv nor runuser is installed; run scripts/install-dependencies")
        }
        return .user(name: name, uid: uid, gid: gid, tool: tool)
    }

    /// The name of whom the server's programs run as.
    var runnerName: String {
        switch runner {
        case .user(let name, _, _, _): name
        case .caller: getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? ""
        }
    }

    /// The argument vector of one of the server's programs, run as the server's user.
    package func serverProgram(_ name: String, _ arguments: [String]) -> [String] {
        let program = ["\(binDirectory)/\(name)"] + arguments
        switch runner {
        case .caller: return program
        case .user(let user, let uid, let gid, let tool):
            guard tool.hasSuffix("setpriv") else { return [tool, "-u", user, "--"] + program }
            return [tool, "--reuid=\(uid)", "--regid=\(gid)", "--init-groups", "--"] + program
        }
    }

    /// The argument vector of a client program. Clients need no particular user.
    package func clientProgram(_ name: String, _ arguments: [String]) -> [String] {
        ["\(binDirectory)/\(name)"] + arguments
    }

    /// Gives a file or folder to the server's user.
    package func giveToServer(_ path: String) throws {
        guard case .user(_, let uid, let gid, _) = runner else { return }
        guard lchown(path, uid, gid) == 0 else {
            throw PostgresError("chown \(path): \(String(cString: strerror(errno)))")
        }
    }

    /// Writes a whole file that belongs to the server's user, in one step.
    package func write(_ text: String, to path: String, mode: UInt32) throws {
        let temporary = path + ".new"
        do {
            try Data(text.utf8).write(to: URL(filePath: temporary))
        } catch {
            throw PostgresError("cannot write \(path): \(error)")
        }
        guard chmod(temporary, mode) == 0 else {
            throw PostgresError("chmod \(temporary): \(String(cString: strerror(errno)))")
        }
        try giveToServer(temporary)
        guard rename(temporary, path) == 0 else {
            throw PostgresError("rename \(temporary): \(String(cString: strerror(errno)))")
        }
    }

    /// Creates a folder that only the server's user may enter.
    package func makeFolder(_ path: String, mode: UInt32 = 0o700) throws {
        guard mkdir(path, mode) == 0 || errno == EEXIST, chmod(path, mode) == 0 else {
            throw PostgresError("mkdir \(path): \(String(cString: strerror(errno)))")
        }
        try giveToServer(path)
    }
}
