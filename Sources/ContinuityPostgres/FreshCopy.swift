import FoundationEssentials
import Glibc

/// A base backup that takes a data directory's place, with its tablespaces and its WAL where this
/// node has them.
///
/// The copy is made beside the old one and takes its place when it is complete. Where there is no
/// room for both, the old one goes first, and only when that was permitted.
struct FreshCopy: Sendable {
    let installation: PostgresInstallation
    let directory: DataDirectory
    let source: PrimaryConnection
    let stallLimit: Duration
    let policy: PostgresRejoin.CopyPolicy
    let progress: @Sendable (String) -> Void
    /// Where the primary has its tablespaces, by their number.
    let sourceTablespaces: [String: String]

    private var exchange: DirectoryExchange {
        DirectoryExchange(directory: directory, majorVersion: installation.majorVersion)
    }

    /// - Parameter makeStandby: turns the copy, by its path, into a standby's.
    /// - Throws: `PostgresError`; then the old directory is as it was, unless it was discarded.
    func run(makeStandby: (String) throws -> Void) async throws {
        let shape = Shape(directory)
        try exchange.removeFresh()
        do {
            try await fill(shape, makeStandby)
        } catch let first as NoRoom {
            // What an earlier copy replaced is the first that may go.
            guard exchange.hasOld else { return try await discard(shape, first, makeStandby) }
            progress("no room for a third copy: \(exchange.old) is deleted")
            exchange.removeOld()
            do {
                try await fill(shape, makeStandby)
            } catch let second as NoRoom {
                try await discard(shape, second, makeStandby)
            }
        }
    }

    /// What the copy must have outside the data directory, as the old one had it.
    private struct Shape {
        let walTarget: String?
        let tablespaces: [String: String]

        init(_ directory: DataDirectory) {
            walTarget = directory.walTarget
            tablespaces = directory.tablespaces
        }
    }

    private func discard(
        _ shape: Shape, _ error: NoRoom, _ makeStandby: (String) throws -> Void
    ) async throws {
        guard policy == .discard, directory.exists, !directory.isEmpty else {
            throw error.refusal(of: directory)
        }
        progress("no room for two copies: the old data is deleted before the new is copied")
        try discardOld()
        do {
            try await fill(shape, makeStandby)
        } catch let error as NoRoom {
            throw error.refusal(of: directory)
        }
    }

    private func fill(_ shape: Shape, _ makeStandby: (String) throws -> Void) async throws {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        if names.isEmpty {
            try await copy(into: directory.path, shape)
            return try makeStandby(directory.path)
        }
        let isKept = !directory.isEmpty
        do {
            try await copy(into: exchange.fresh, shape)
            // Before it takes its place: without its signal file it would come up as a primary.
            try makeStandby(exchange.fresh)
        } catch {
            try exchange.removeFresh()
            throw error
        }
        try exchange.run()
        // It is root's, and every backup of this server would stumble over it.
        let found = directory.inside("lost+found")
        if access(found, F_OK) == 0 { try installation.giveToServer(found) }
        guard isKept else { return exchange.removeOld() }
        progress("the old data is kept in \(exchange.old), until the next copy takes its place")
    }

    private struct NoRoom: Error {
        let needed: UInt64
        let free: UInt64

        func refusal(of directory: DataDirectory) -> PostgresError {
            PostgresError(
                "\(directory.path) needs a new copy of \(Bytes.text(needed)), and \(Bytes.text(free)) "
                    + "are free: there is no room to keep the old data beside it. Make room, or "
                    + "let 'continuity postgres rejoin' delete the old data first: --copy discard")
        }
    }

    private func copy(into target: String, _ shape: Shape) async throws {
        try installation.makeFolder(target)
        let wal = try shape.walTarget.map { try place(near: $0) }
        var mappings: [String: String] = [:]
        for (number, location) in sourceTablespaces {
            mappings[location] = try place(near: shape.tablespaces[number] ?? location)
        }
        let volumes = Set(
            ([target] + mappings.values).compactMap { DataDirectory.device(of: $0) })
        let told = ProgressLine(progress)
        do {
            try await PostgresBaseBackup(
                installation: installation, source: source, target: target, isSynced: true,
                launcher: RejoinLock.copying(directory.path), walTarget: wal, tablespaces: mappings,
                stallLimit: stallLimit
            ) { done, total in
                told.note(done, of: total)
                // How it divides among several volumes is not told.
                guard volumes.count == 1, let free = DataDirectory.freeBytes(at: target),
                    total > done, total - done > free
                else { return }
                throw NoRoom(needed: total, free: free + done)
            }.run()
        } catch {
            if target == directory.path { Self.clear(target) }
            if let wal { Self.clear(wal) }
            for place in mappings.values { clearTablespace(place) }
            guard let failure = error as? PostgresError,
                failure.details.contains("No space left"),
                let free = DataDirectory.freeBytes(at: target)
            else { throw error }
            throw NoRoom(needed: told.total, free: free)
        }
    }

    /// A folder that is empty, on the volume of `path`: that itself where it is free.
    private func place(near path: String) throws -> String {
        let base = Self.withoutSuffix(path)
        let stem =
            DataDirectory.isMountPoint(base)
            ? "\(base)/\(Self.suffix.dropFirst())" : base + Self.suffix
        let candidates = [base] + (1...1000).map { "\(stem)\($0)" }
        let free = candidates.first { place in
            // Not `lost+found` either: pg_basebackup wants it empty.
            let names = try? FileManager.default.contentsOfDirectory(atPath: place)
            return names?.isEmpty ?? (access(place, F_OK) != 0)
        }
        guard let free else {
            throw PostgresError("there are a thousand copies beside \(base); remove some")
        }
        try installation.makeFolder(free)
        return free
    }

    private static let suffix = ".continuity-"

    private static func withoutSuffix(_ path: String) -> String {
        var path = path
        while let match = path.firstMatch(of: #/^(.+?)[./]continuity-\d+$/#) {
            path = String(match.1)
        }
        return path
    }

    /// The control file first: a directory without one is never started.
    private func discardOld() throws {
        unlink(directory.inside("global/pg_control"))
        try syncPath(directory.inside("global"))
        exchange.removeOld()
        for place in directory.tablespaces.values { clearTablespace(place) }
        if let wal = directory.walTarget { Self.clear(wal) }
        Self.clear(directory.path)
    }

    private func clearTablespace(_ path: String) {
        Self.clear(path, only: "PG_\(installation.majorVersion)_")
    }

    /// Removes what is in a folder, and the folder itself when it is one of ours.
    ///
    /// - Parameter prefix: of the names that may go; others may belong to another server.
    static func clear(_ path: String, only prefix: String = "") {
        let files = FileManager.default
        for name in (try? files.contentsOfDirectory(atPath: path)) ?? []
        where name != "lost+found" && name.hasPrefix(prefix) {
            try? files.removeItem(atPath: "\(path)/\(name)")
        }
        if withoutSuffix(path) != path { rmdir(path) }
    }
}

enum Bytes {
    /// For people, in binary units, rounded down.
    static func text(_ bytes: UInt64) -> String {
        for (unit, shift) in [("GB", 30), ("MB", 20), ("kB", 10)] where bytes >> shift >= 10 {
            return "\(bytes >> shift) \(unit)"
        }
        return "\(bytes) bytes"
    }
}
