import CLinux
import Foundation
import Glibc

/// Finds the processes of a service by the working directory that all of them share.
///
/// Zombies have no working directory any more and do not count: they hold no file open and can
/// write nothing. By the time a dying process loses its directory it has closed its files.
struct ServiceProcesses: Sendable {
    struct Scan: Equatable, Sendable {
        var alive: [pid_t] = []
        /// Processes of the directory's owner that this agent may not look into: one of them
        /// could belong to the service.
        var hidden: [pid_t] = []

        var isEmpty: Bool { alive.isEmpty && hidden.isEmpty }
        var count: Int { alive.count + hidden.count }
    }

    let directory: String
    let pidFile: String

    private enum WorkingDirectory {
        case path(String)
        case hidden
        case gone
    }

    /// All live processes of the service. Takes about a millisecond for a few hundred processes.
    ///
    /// A process that ends is never missed; one that is forked during the scan can be. Whoever
    /// needs proof therefore scans again until nothing more is found.
    func scan() -> Scan {
        let wanted = resolvedDirectory()
        let owner = continuity_owner(wanted)
        let own = getpid()
        var scan = Scan()
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let pid = pid_t(name), pid != own else { continue }
            switch workingDirectory(of: pid) {
            case .path(let path):
                if matches(path, wanted) { scan.alive.append(pid) }
            case .hidden:
                if owner >= 0, owner != Int64(geteuid()), continuity_owner("/proc/\(pid)") == owner
                {
                    scan.hidden.append(pid)
                }
            case .gone: continue
            }
        }
        return scan
    }

    /// The main process, if the pid file names one that lives and belongs to the service.
    func mainProcess() -> ProcessHandle? {
        guard let pid = recordedPID(), let handle = ProcessHandle(pid: pid) else { return nil }
        switch workingDirectory(of: pid) {
        // A stale file can name a number that an unrelated process has by now.
        case .path(let path): guard matches(path, resolvedDirectory()) else { return nil }
        case .hidden: break
        case .gone: return nil
        }
        return handle.isAlive ? handle : nil
    }

    func recordedPID() -> pid_t? {
        let file = open(pidFile, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = read(file, &bytes, bytes.count)
        guard count > 0 else { return nil }
        let line = bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }
        let text = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespaces)
        guard let pid = pid_t(text), pid > 1 else { return nil }
        return pid
    }

    private func matches(_ path: String, _ wanted: String) -> Bool {
        // The kernel marks a directory that was removed under its process in this way.
        path == wanted || path == wanted + " (deleted)"
    }

    private func resolvedDirectory() -> String {
        guard let resolved = realpath(directory, nil) else {
            return directory.hasSuffix("/") ? String(directory.dropLast()) : directory
        }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private func workingDirectory(of pid: pid_t) -> WorkingDirectory {
        withUnsafeTemporaryAllocation(byteCount: Int(PATH_MAX), alignment: 1) { buffer in
            guard let base = buffer.bindMemory(to: CChar.self).baseAddress else { return .gone }
            let length = readlink("/proc/\(pid)/cwd", base, buffer.count)
            guard length >= 0 else { return errno == EACCES ? .hidden : .gone }
            return .path(String(decoding: buffer[..<length], as: UTF8.self))
        }
    }
}
