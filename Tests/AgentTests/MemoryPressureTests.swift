import ContinuityNode
import Foundation
import Glibc
import Logging
import Testing

@testable import ContinuityAgent

/// The real guard where memory has run out: in a control group that a hog fills again and again,
/// so that the kernel kills in it all the time.
struct MemoryPressureTests {
    /// A memory control group, of either version.
    private struct MemoryGroup {
        let path: String
        private let counter: String

        init(limitBytes: Int) throws {
            let isFirst = access("/sys/fs/cgroup/memory/cgroup.procs", F_OK) == 0
            let root = isFirst ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup"
            path = "\(root)/continuity-test-\(getpid())"
            counter = isFirst ? "memory.failcnt" : "memory.events"
            if !isFirst { try? Self.write("+memory", to: "\(root)/cgroup.subtree_control") }
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
            try Self.write(
                String(limitBytes),
                to: "\(path)/\(isFirst ? "memory.limit_in_bytes" : "memory.max")")
            if !isFirst { try? Self.write("0", to: "\(path)/memory.swap.max") }
        }

        func add(_ pid: pid_t) throws { try Self.write(String(pid), to: "\(path)/cgroup.procs") }

        /// How often the limit was met.
        var hits: Int {
            let text = (try? String(contentsOfFile: "\(path)/\(counter)", encoding: .utf8)) ?? ""
            let lines = text.split(separator: "\n").map(String.init)
            let line = lines.first { $0.hasPrefix("max ") } ?? lines.first ?? ""
            return line.split(separator: " ").last.flatMap { Int($0) } ?? 0
        }

        func remove() { rmdir(path) }

        private static func write(_ text: String, to file: String) throws {
            let handle = try FileHandle(forWritingTo: URL(filePath: file))
            try handle.write(contentsOf: Data(text.utf8))
            try handle.close()
        }
    }

    @Test func fencesInTimeWhereMemoryHasRunOut() async throws {
        let service = try StandInService()
        try await service.start(stubborn: true, children: 2)
        let deadline = BootInstant.now + 3000
        var logger = Logger(label: "guard")
        logger.logLevel = .error
        let link = GuardLink(
            configuration: GuardConfiguration(
                program: GuardConfiguration.defaultProgram(), watchdog: nil),
            directory: service.directory, leaseFile: "\(service.root)/agent.json.lease",
            agentID: "agent-1", logger: logger)
        link.start { deadline }
        try await eventually("the guard answers") { link.status.state != .degraded }
        let pid = try #require(link.status.pid)
        try expectProtected(pid, link.status)

        let group = try MemoryGroup(limitBytes: 32 << 20)
        defer { group.remove() }
        try group.add(pid)
        // `tail` keeps what has no end of line: it grows until the kernel kills it.
        let hog = Task {
            await ProgramRunner.run(
                argv: [
                    "/bin/sh", "-c",
                    // Where the guard may not be left out, the hog at least comes first.
                    "echo 1000 > /proc/self/oom_score_adj; echo $$ > \(group.path)/cgroup.procs; "
                        + "while :; do tail /dev/zero; done",
                ], environment: [:], timeoutMs: 20_000)
        }
        defer { hog.cancel() }
        try await eventually("memory has run out") { group.hits > 0 }
        #expect(BootInstant.now < deadline, "the pressure comes before the deadline")
        try await eventually("the service is dead", every: .milliseconds(1)) {
            service.processes.scan().isEmpty
        }
        #expect(BootInstant.now >= deadline)
        #expect(BootInstant.now - deadline < 1000, "without waiting for memory")
        hog.cancel()
        _ = await hog.value
        // Where it may not be spared, the kernel can choose it after all, between two hogs: then
        // another is started at once.
        if link.status.isUnkillable {
            #expect(link.status.pid == pid, "the same guard all the time")
            #expect(ProcessHandle(pid: pid)?.isAlive == true)
        }
        let last = link.status.pid ?? pid
        link.release()
        try await eventually("the guard is gone") { ProcessHandle(pid: last)?.isAlive != true }
    }

    /// Locked in memory, and never the kernel's choice when memory runs out where the kernel lets
    /// it have that: then it says so itself.
    private func expectProtected(_ pid: pid_t, _ claimed: GuardStatus) throws {
        let score = try String(contentsOfFile: "/proc/\(pid)/oom_score_adj", encoding: .utf8)
        #expect((score == "-1000\n") == claimed.isUnkillable)
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmLck:") })
        let lockedKiB = line.split(separator: " ").compactMap { Int($0) }.first ?? 0
        #expect(lockedKiB > 0, "nothing of it is locked in memory")
    }
}
