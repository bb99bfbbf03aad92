import FoundationEssentials
import Glibc

/// Something about an installation that a person should know before a failover does.
package struct PostgresFinding: Sendable, Equatable {
    package enum Level: String, Sendable {
        /// A rejoin would fail, or do harm.
        case error
        /// A rejoin would cost more than it must.
        case warning
        case note
    }

    package let level: Level
    package let message: String
}

/// Looks at what a rejoin will need, and changes nothing. The server may run.
package struct PostgresCheck: Sendable {
    package var dataDirectory: String
    /// The server's `postgresql.conf`.
    package var configFile: String?
    package var binDirectory: String?

    package init(dataDirectory: String, configFile: String? = nil, binDirectory: String? = nil) {
        self.dataDirectory = dataDirectory
        self.configFile = configFile
        self.binDirectory = binDirectory
    }

    /// - Returns: the errors first.
    package func findings() async -> [PostgresFinding] {
        do {
            let directory = try DataDirectory(dataDirectory)
            let installation = try await PostgresInstallation.locate(
                for: directory, binDirectory: binDirectory)
            let found =
                shape(directory) + lostAndFound(directory) + room(directory)
                + (await settings(directory, installation)) + interrupted(directory)
            return [.error, .warning, .note].flatMap { level in found.filter { $0.level == level } }
        } catch {
            return [PostgresFinding(level: .error, message: "\(error)")]
        }
    }

    private func shape(_ directory: DataDirectory) -> [PostgresFinding] {
        var found: [PostgresFinding] = []
        func add(_ level: PostgresFinding.Level, _ message: String) {
            found.append(PostgresFinding(level: level, message: message))
        }
        let parent = URL(filePath: directory.path).deletingLastPathComponent().path
        if access(parent, W_OK) != 0 {
            add(
                .error,
                "\(parent) cannot be written: locks and marks of a rejoin stand beside the data")
        }
        if directory.path != dataDirectory {
            add(.note, "\(dataDirectory) is \(directory.path)")
        }
        if let configFile, let config = try? DataDirectory(configFile),
            config.path.hasPrefix(directory.path + "/")
        {
            add(
                .error,
                "\(config.path) stands in the data directory: a rewind or a copy exchanges it for "
                    + "the primary's. Move it out, and name it with config_file")
        }
        if directory.isMountPoint {
            add(
                .note,
                "\(directory.path) is a mount point: a new copy is made within it, and needs room "
                    + "for both")
        }
        for place in directory.tablespaces.values.sorted() {
            if access(place, F_OK) != 0 {
                add(.error, "the tablespace \(place) is missing")
            } else {
                add(.note, "a tablespace at \(place): a new copy of it is made beside it")
            }
        }
        if let wal = directory.walTarget { add(.note, "the WAL stands in \(wal)") }
        return found
    }

    /// A base backup *of* a server on a mount point reads this folder too, and is refused.
    private func lostAndFound(_ directory: DataDirectory) -> [PostgresFinding] {
        let found = directory.inside("lost+found")
        var (data, folder) = (stat(), stat())
        guard stat(directory.path, &data) == 0, stat(found, &folder) == 0,
            folder.st_uid != data.st_uid
        else { return [] }
        return [
            PostgresFinding(
                level: .error,
                message: "\(found) belongs to another user: no node can be copied or rewound from "
                    + "this one. Give it to the data's owner")
        ]
    }

    /// Whether a second copy has room, by what is used now.
    private func room(_ directory: DataDirectory) -> [PostgresFinding] {
        let used = Self.usedBytes(directory.path)
        guard let free = DataDirectory.freeBytes(at: directory.path), free < used else { return [] }
        return [
            PostgresFinding(
                level: .warning,
                message: "\(Bytes.text(used)) are used and \(Bytes.text(free)) are free: a new "
                    + "copy would have no room beside the old data. With rejoin's --copy discard "
                    + "the old data is deleted first")
        ]
    }

    private static func usedBytes(_ path: String) -> UInt64 {
        var sum: UInt64 = 0
        var folders = [path]
        while let folder = folders.popLast() {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
                var status = stat()
                guard lstat("\(folder)/\(name)", &status) == 0 else { continue }
                if status.st_mode & S_IFMT == S_IFDIR {
                    folders.append("\(folder)/\(name)")
                } else {
                    sum += UInt64(status.st_blocks) * 512
                }
            }
        }
        return sum
    }

    private func settings(
        _ directory: DataDirectory, _ installation: PostgresInstallation
    ) async -> [PostgresFinding] {
        func value(_ name: String) async throws -> String {
            let config = configFile.map { ["-c", "config_file=\($0)"] } ?? []
            let printed = try await Program.mustRun(
                installation.serverProgram(
                    "postgres", ["-D", directory.path] + config + ["-C", name]))
            return printed.split(separator: "\n").last.map(String.init) ?? ""
        }
        do {
            var found: [PostgresFinding] = []
            let hints = try await value("wal_log_hints")
            if hints != "on", Self.lacksChecksums(try await controlData(directory, installation)) {
                found.append(
                    PostgresFinding(
                        level: .warning,
                        message: "neither wal_log_hints nor data checksums: pg_rewind refuses, and "
                            + "a former primary is copied anew"))
            }
            let delay = try await value("recovery_min_apply_delay")
            if delay != "0" {
                found.append(
                    PostgresFinding(
                        level: .note,
                        message: "recovery_min_apply_delay is \(delay): this node is not copied "
                            + "anew unless --copy discard says so"))
            }
            return found
        } catch {
            return [
                PostgresFinding(level: .error, message: "its settings cannot be read: \(error)")
            ]
        }
    }

    private func controlData(
        _ directory: DataDirectory, _ installation: PostgresInstallation
    ) async throws -> String {
        try await Program.mustRun(
            installation.serverProgram("pg_controldata", ["-D", directory.path]))
    }

    private static func lacksChecksums(_ control: String) -> Bool {
        control.contains(#/Data page checksum version: +0\b/#)
    }

    private func interrupted(_ directory: DataDirectory) -> [PostgresFinding] {
        let marks = [".rewinding", ".exchanging", ".continuity-fresh"].map(directory.beside)
        return marks.filter { access($0, F_OK) == 0 }.map {
            PostgresFinding(
                level: .warning, message: "\($0) is there: a rejoin was interrupted; order it again"
            )
        }
    }
}
