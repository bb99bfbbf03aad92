import FoundationEssentials
import Glibc

/// Where a server's data stands: its real path, the volume it is on, and what it links to.
///
/// Locks, marks and copies have names that are made from the path, so there must be one for each
/// directory: without a trailing slash, and with links resolved.
package struct DataDirectory: Hashable, Sendable {
    package let path: String

    /// - Throws: `PostgresError` when the path is not absolute, or is the root.
    package init(_ text: String) throws(PostgresError) {
        guard text.hasPrefix("/"), !text.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
            throw PostgresError("the data directory '\(text)' is not an absolute path")
        }
        let parts = text.split(separator: "/").filter { $0 != "." }
        guard !parts.isEmpty else { throw PostgresError("the data directory cannot be '/'") }
        path = Self.real("/" + parts.joined(separator: "/"), depth: 8)
    }

    /// Also where the last part is missing: halfway through an exchange of directories it is.
    private static func real(_ path: String, depth: Int) -> String {
        if let real = realpath(path, nil) {
            defer { free(real) }
            return String(cString: real)
        }
        let url = URL(filePath: path)
        let folder = url.deletingLastPathComponent().path
        if depth > 0, let target = linkTarget(path) {
            return Self.real(
                target.hasPrefix("/") ? target : "\(folder)/\(target)", depth: depth - 1)
        }
        guard let real = realpath(folder, nil) else { return path }
        defer { free(real) }
        let parent = String(cString: real)
        return (parent == "/" ? "" : parent) + "/" + url.lastPathComponent
    }

    package static func linkTarget(_ path: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: path)
    }

    /// A file or folder beside it. In it `pg_rewind` would remove whatever the source lacks.
    func beside(_ suffix: String) -> String { path + suffix }

    func inside(_ name: String) -> String { "\(path)/\(name)" }

    var exists: Bool { access(path, F_OK) == 0 }

    /// Whether nothing is in it that belongs to a server.
    var isEmpty: Bool { Self.isEmpty(path) }

    /// A new file system has `lost+found`.
    static func isEmpty(_ path: String) -> Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.allSatisfy { $0 == "lost+found" }
    }

    var isMountPoint: Bool { Self.isMountPoint(path) }

    /// By the kernel's table: a bind mount may be of the same device as its parent.
    static func isMountPoint(_ path: String) -> Bool {
        guard let table = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
        else { return false }
        return table.split(separator: "\n").contains { line in
            let fields = line.split(separator: " ")
            return fields.count > 4 && unescaped(fields[4]) == path
        }
    }

    /// Spaces and the like stand in the table as `\040`.
    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest.removeFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Where the WAL stands when it has a directory of its own.
    var walTarget: String? { Self.linkTarget(inside("pg_wal")) }

    /// The tablespaces outside it: where each one's link leads, by its number.
    var tablespaces: [String: String] {
        let names =
            (try? FileManager.default.contentsOfDirectory(atPath: inside("pg_tblspc"))) ?? []
        return names.reduce(into: [:]) { found, name in
            found[name] = Self.linkTarget(inside("pg_tblspc/\(name)"))
        }
    }

    /// How much an unprivileged user can still write beside `path`, in bytes.
    static func freeBytes(at path: String) -> UInt64? {
        var place = path
        var status = statvfs()
        while statvfs(place, &status) != 0 {
            guard place != "/" else { return nil }
            place = URL(filePath: place).deletingLastPathComponent().path
        }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }

    /// Which volume `path` is on, or would be.
    static func device(of path: String) -> UInt64? {
        var place = path
        var status = stat()
        while stat(place, &status) != 0 {
            guard place != "/" else { return nil }
            place = URL(filePath: place).deletingLastPathComponent().path
        }
        return UInt64(status.st_dev)
    }

    /// The major version that `PG_VERSION` names.
    var majorVersion: Int? {
        (try? String(contentsOfFile: inside("PG_VERSION"), encoding: .utf8)).flatMap {
            Int($0.trimmingPrefix(" ").prefix(while: \.isNumber))
        }
    }
}

/// Puts what was written on disk: power may fail.
func syncPath(_ path: String) throws(PostgresError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    defer { if descriptor >= 0 { close(descriptor) } }
    guard descriptor >= 0, fsync(descriptor) == 0 else {
        throw PostgresError("fsync \(path): \(String(cString: strerror(errno)))")
    }
}
