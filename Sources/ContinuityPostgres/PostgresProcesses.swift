import FoundationEssentials
import Glibc

/// The processes of one PostgreSQL server: all that have its data directory as their own.
///
/// Neither the pid file alone (stale after a crash, silent about backends) nor the process tree
/// (orphans leave it) would find a backend that outlived its postmaster.
package struct PostgresProcesses: Sendable {
    package let dataDirectory: String

    package init(dataDirectory: String) {
        self.dataDirectory = dataDirectory
    }

    /// The postmaster's process id after the server's own pid file, alive or not.
    package var postmaster: Int32? {
        guard
            let text = try? String(
                contentsOfFile: "\(dataDirectory)/postmaster.pid", encoding: .utf8),
            let line = text.split(separator: "\n").first
        else { return nil }
        return Int32(line)
    }

    /// Every living process of the server, the postmaster first. A zombie counts as dead: it
    /// executes nothing any more, whether or not its parent has asked for its status.
    package func living() -> [Int32] {
        let directory = Self.resolved(dataDirectory)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        let found = names.compactMap { Int32($0) }.filter { pid in
            Self.linkTarget("/proc/\(pid)/cwd") == directory && !Self.isZombie(pid)
        }
        let first = postmaster
        return found.filter { $0 == first } + found.filter { $0 != first }
    }

    /// Kills the whole server with SIGKILL, the postmaster first, and sees it dead.
    ///
    /// - Returns: how many processes were killed.
    /// - Throws: `PostgresError` when some are still alive after five seconds.
    @discardableResult
    package func kill() async throws -> Int {
        var killed: Set<Int32> = []
        let gone = try await poll(every: .milliseconds(2), for: .seconds(5)) {
            let processes = living()
            for pid in processes where killed.insert(pid).inserted { _ = Glibc.kill(pid, SIGKILL) }
            return processes.isEmpty
        }
        guard gone else {
            throw PostgresError("\(dataDirectory): processes \(living()) survive SIGKILL")
        }
        return killed.count
    }

    /// Removes what a dead server left behind, which a new one might take for a living one: it
    /// asks `kill(pid, 0)`, and that says yes to zombies and to strangers with the same number.
    ///
    /// - Throws: `PostgresError` when the server lives.
    func removeStaleLocks() throws {
        let processes = living()
        guard processes.isEmpty else {
            throw PostgresError(
                "\(dataDirectory): the server still runs (process \(processes[0])); "
                    + "stop it first")
        }
        let path = "\(dataDirectory)/postmaster.pid"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return }
        // Line 4 is the port, line 5 the socket's folder.
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.count > 4, let port = Int(lines[3]), lines[4].hasPrefix("/") {
            unlink("\(lines[4])/.s.PGSQL.\(port)")
            unlink("\(lines[4])/.s.PGSQL.\(port).lock")
        }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw PostgresError("cannot remove \(path): \(String(cString: strerror(errno)))")
        }
    }

    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    private static func linkTarget(_ path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let base = buffer.baseAddress else { return nil }
            let count = readlink(path, base, buffer.count)
            guard count > 0 else { return nil }
            return String(
                decoding: UnsafeRawBufferPointer(
                    rebasing: UnsafeRawBufferPointer(buffer)[..<count]), as: UTF8.self)
        }
    }

    /// The state stands after the last parenthesis of `/proc/PID/stat`. A process that is gone
    /// altogether counts as a zombie too.
    static func isZombie(_ pid: Int32) -> Bool {
        guard let data = try? Data(contentsOf: URL(filePath: "/proc/\(pid)/stat")),
            let end = data.lastIndex(of: UInt8(ascii: ")")), data.count > end + 2
        else { return true }
        return data[end + 2] == UInt8(ascii: "Z") || data[end + 2] == UInt8(ascii: "X")
    }
}
