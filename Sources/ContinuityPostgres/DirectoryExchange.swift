import FoundationEssentials
import Glibc

/// Puts a complete copy in a data directory's place, in such a way that an end at any instant
/// leaves one of the two there, or something that no server starts from and that `finish` ends.
///
/// Where the directory can be renamed, that is two renames. A mount point cannot: there the copy
/// is made within it, under a name that base backups and the server skip, and the entries change
/// places one by one, with a mark beside the directory that says which way.
struct DirectoryExchange: Sendable {
    let directory: DataDirectory
    let majorVersion: Int

    /// PostgreSQL's prefix for what is temporary: a base backup *from* this server leaves it out.
    private static let inner = "pgsql_tmp_continuity"
    private static let outgoing = "out"
    private static let incoming = "in"

    private var isInner: Bool { directory.isMountPoint }
    private var mark: String { directory.beside(".exchanging") }

    /// Where the copy is made.
    var fresh: String {
        isInner ? directory.inside("\(Self.inner)_fresh") : directory.beside(".continuity-fresh")
    }

    /// Where the old data is kept.
    var old: String {
        isInner ? directory.inside("\(Self.inner)_old") : directory.beside(".continuity-old")
    }

    var hasOld: Bool { access(old, F_OK) == 0 }

    /// - Precondition: the copy is complete, on disk and a standby's.
    func run() throws {
        removeOld()
        guard isInner else {
            // `finish` repairs a death between them.
            try Self.rename(directory.path, to: old)
            try Self.rename(fresh, to: directory.path)
            return try syncPath(URL(filePath: directory.path).deletingLastPathComponent().path)
        }
        guard mkdir(old, 0o700) == 0 else {
            throw PostgresError("mkdir \(old): \(String(cString: strerror(errno)))")
        }
        try note(Self.outgoing)
        try finishInner()
    }

    /// Ends an exchange that was interrupted, or undoes it where nothing was lost yet.
    func finish() throws {
        if isInner { return try finishInner() }
        // `.old` was the name before this version.
        for name in [old, directory.beside(".old")]
        where !directory.exists && access(name, F_OK) == 0 {
            try Self.rename(name, to: directory.path)
        }
    }

    private func finishInner() throws {
        guard let text = try? String(contentsOfFile: mark, encoding: .utf8) else { return }
        if text == Self.outgoing {
            // The control file first: what has none is not started.
            try move("global", from: directory.path, to: old)
            for name in try entries(directory.path) {
                try move(name, from: directory.path, to: old)
            }
            try note(Self.incoming)
        }
        let names = try entries(fresh)
        for name in names where name != "global" {
            try move(name, from: fresh, to: directory.path)
        }
        try move("global", from: fresh, to: directory.path)
        rmdir(fresh)
        try syncPath(directory.path)
        unlink(mark)
    }

    /// Whether an exchange was interrupted: then the server must not be started.
    var isUnfinished: Bool { access(mark, F_OK) == 0 || !directory.exists }

    private func entries(_ path: String) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path).filter {
                $0 != "lost+found" && !$0.hasPrefix(Self.inner)
            }
        } catch {
            throw PostgresError("\(path) cannot be read: \(error)")
        }
    }

    private func move(_ name: String, from: String, to: String) throws {
        guard
            access("\(from)/\(name)", F_OK) == 0
                || DataDirectory.linkTarget("\(from)/\(name)") != nil
        else { return }
        try Self.rename("\(from)/\(name)", to: "\(to)/\(name)")
    }

    private func note(_ phase: String) throws {
        do {
            try Data(phase.utf8).write(to: URL(filePath: mark + ".new"))
        } catch {
            throw PostgresError("cannot write \(mark): \(error)")
        }
        try syncPath(mark + ".new")
        try Self.rename(mark + ".new", to: mark)
        try syncPath(URL(filePath: mark).deletingLastPathComponent().path)
    }

    func removeFresh() throws {
        try remove(fresh)
    }

    /// With what stands outside it and belonged to it alone.
    func removeOld() {
        try? remove(old)
    }

    private func remove(_ path: String) throws {
        guard access(path, F_OK) == 0, path != directory.path else { return }
        let removed = try DataDirectory(path)
        let ours = Set(directory.tablespaces.values)
        for place in removed.tablespaces.values where !ours.contains(place) {
            FreshCopy.clear(place, only: "PG_\(majorVersion)_")
        }
        if let wal = removed.walTarget, wal != directory.walTarget { FreshCopy.clear(wal) }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw PostgresError("cannot remove \(path): \(error)")
        }
    }

    private static func rename(_ path: String, to other: String) throws {
        guard Glibc.rename(path, other) == 0 else {
            throw PostgresError(
                "cannot rename \(path) to \(other): \(String(cString: strerror(errno)))")
        }
    }
}
