import ContinuityCore
import ContinuityHTTP
import ContinuityNode
import Foundation
import Glibc
import Logging
import Testing

@testable import ContinuityAgent

/// The real guard program beside a stand-in service.
struct GuardTests {
    /// A guard that is told what `deadline` holds, and a service in its directory.
    private struct Bench {
        let service: StandInService
        let link: GuardLink
        var leaseFile: String { "\(service.root)/agent.json.lease" }

        /// When the guard shall fence.
        let deadline: BootInstant

        init(watchdog: String? = nil, deadlineInMs: Int64) async throws {
            let service = try StandInService()
            try await service.start(stubborn: true, children: 2)
            self.service = service
            let deadline = BootInstant.now + deadlineInMs
            self.deadline = deadline
            var logger = Logger(label: "guard")
            logger.logLevel = .critical
            link = GuardLink(
                configuration: GuardConfiguration(
                    program: GuardConfiguration.defaultProgram(),
                    watchdog: watchdog.map { .init(device: $0, timeoutMs: 5000) }),
                directory: service.directory, leaseFile: "\(service.root)/agent.json.lease",
                agentID: "agent-1", logger: logger)
            link.start { deadline }
            try await eventually("the guard answers") { link.status.state != .degraded }
        }

        var isAlive: Bool { !service.processes.scan().isEmpty }

        func guardIsGone(_ pid: pid_t) -> Bool { ProcessHandle(pid: pid)?.isAlive != true }
    }

    @Test func fencesWhenTheDeadlinePasses() async throws {
        let bench = try await Bench(deadlineInMs: 500)
        #expect(bench.isAlive)
        try await eventually("the service is dead", every: .milliseconds(1)) { !bench.isAlive }
        #expect(BootInstant.now >= bench.deadline, "not before the deadline")
        try await eventually("it says so") { bench.link.status.state == .fencing }
        #expect(bench.link.status.processesKilled >= 3)
        bench.link.release()
    }

    @Test func aDeadAgentsServiceIsKeptUntilTheDeadlineAndFencedThen() async throws {
        let bench = try await Bench(deadlineInMs: 700)
        let pid = try #require(bench.link.status.pid)
        bench.link.abandon()
        #expect(bench.isAlive, "the agent may come back in time")
        try await eventually("the service is dead", every: .milliseconds(1)) { !bench.isAlive }
        #expect(BootInstant.now >= bench.deadline)
        #expect(!bench.guardIsGone(pid), "it stays, for somebody may start the service again")
        let again = await ProgramRunner.run(
            argv: ["/bin/sh", "-c", "cd '\(bench.service.directory)' && exec sleep 300"],
            timeoutMs: 15_000)
        #expect(again.ending == .signalled(SIGKILL))
        try Data("continuity-lease 1 boot 0 released agent-2 0\n".utf8)
            .write(to: URL(fileURLWithPath: bench.leaseFile))
        try await eventually("it leaves to the next agent's guard") { bench.guardIsGone(pid) }
    }

    @Test func anOrphanedGuardFollowsTheLeaseFile() async throws {
        let bench = try await Bench(deadlineInMs: 600)
        let pid = try #require(bench.link.status.pid)
        bench.link.abandon()
        try Data("continuity-lease 1 boot 0 held agent-2 0\n".utf8)
            .write(to: URL(fileURLWithPath: bench.leaseFile))
        try await eventually("another agent has taken over") { bench.guardIsGone(pid) }
        try await eventually("the deadline passes") { BootInstant.now > bench.deadline + 100 }
        #expect(bench.isAlive)
    }

    /// Its own agent's last word, as a restored snapshot or another boot would have it.
    @Test(arguments: [("another-boot", 60_000, 86_000), ("", 600_000, 3000), ("", 60_000, 0)])
    func anOrphanedGuardBelievesNoImpossibleLease(
        _ boot: String, _ aheadMs: Int64, _ lengthMs: Int64
    ) async throws {
        let bench = try await Bench(deadlineInMs: 600)
        let own = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let until = BootInstant.now.milliseconds + aheadMs
        try Data(
            "continuity-lease 1 \(boot.isEmpty ? own : boot) \(until) held agent-1 \(lengthMs)\n"
                .utf8
        ).write(to: URL(fileURLWithPath: bench.leaseFile))
        bench.link.abandon()
        try await eventually("the service is dead", every: .milliseconds(1)) { !bench.isAlive }
        #expect(BootInstant.now >= bench.deadline)
        try Data("continuity-lease 1 boot 0 released agent-2 0\n".utf8)
            .write(to: URL(fileURLWithPath: bench.leaseFile))
    }

    @Test func anOrphanedGuardKeepsAPossibleLease() async throws {
        let bench = try await Bench(deadlineInMs: 500)
        let own = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let until = BootInstant.now + 2500
        try Data("continuity-lease 1 \(own) \(until.milliseconds) held agent-1 3000\n".utf8)
            .write(to: URL(fileURLWithPath: bench.leaseFile))
        bench.link.abandon()
        try await eventually("the service is dead", every: .milliseconds(1)) { !bench.isAlive }
        #expect(BootInstant.now >= until)
        try Data("continuity-lease 1 boot 0 released agent-2 0\n".utf8)
            .write(to: URL(fileURLWithPath: bench.leaseFile))
    }

    @Test func theClockIsTheHardwaresAndTimersAreSetShort() {
        var raw = timespec()
        let before = BootInstant.now
        clock_gettime(CLOCK_MONOTONIC_RAW, &raw)
        let after = BootInstant.now
        #expect(before <= after)
        var boot = timespec()
        var monotonic = timespec()
        clock_gettime(CLOCK_MONOTONIC, &monotonic)
        clock_gettime(CLOCK_BOOTTIME, &boot)
        let suspendedMs =
            (boot.tv_sec - monotonic.tv_sec) * 1000 + (boot.tv_nsec - monotonic.tv_nsec) / 1_000_000
        let wanted = Int64(raw.tv_sec * 1000 + raw.tv_nsec / 1_000_000 + suspendedMs)
        #expect(before.milliseconds <= wanted + 5 && wanted <= after.milliseconds + 50)
        let now = BootInstant(milliseconds: 1000)
        // Slewed by 8.3 %, 900 ms of the timer are at most 982 ms.
        #expect(LeaseGuard.pauseMs(until: now + 1000, now: now) == 900)
        #expect(LeaseGuard.pauseMs(until: now + 10, now: now) == 10)
        #expect(LeaseGuard.pauseMs(until: now + -5, now: now) == 1)
        #expect(LeaseGuard.pauseMs(until: nil, now: now) == 1000)
    }

    @Test func aKilledGuardIsReplacedAtOnceAndAHungOneSoon() async throws {
        let bench = try await Bench(deadlineInMs: 60_000)
        let first = try #require(bench.link.status.pid)
        kill(first, SIGKILL)
        try await eventually("another guard answers") {
            bench.link.status.state == .guarding && bench.link.status.pid != first
        }
        let second = try #require(bench.link.status.pid)
        kill(second, SIGSTOP)
        try await eventually("the hung one is replaced") {
            bench.link.status.state == .guarding && bench.link.status.pid != second
        }
        #expect(bench.guardIsGone(second))
        #expect(bench.link.status.restarts == 2)
        #expect(bench.isAlive)
        bench.link.release()
        #expect(bench.link.status.pid.map(bench.guardIsGone) != false)
    }

    @Test func ignoresTheSignalsOfAServiceManager() async throws {
        let bench = try await Bench(deadlineInMs: 60_000)
        let pid = try #require(bench.link.status.pid)
        for signal in [SIGTERM, SIGINT, SIGHUP] { kill(pid, signal) }
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        #expect(status.contains("State:\tS") || status.contains("State:\tR"))
        #expect(bench.link.status.pid == pid)
        // What it says of itself is what the kernel says of it.
        let locked = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmLck:") })
        #expect(bench.link.status.isLocked == !locked.contains(" 0 kB"))
        let score = try String(contentsOfFile: "/proc/\(pid)/oom_score_adj", encoding: .utf8)
        #expect(bench.link.status.isUnkillable == score.hasPrefix("-1000"))
        bench.link.release()
    }

    @Test func feedsTheWatchdogWhileThereIsSomethingToGuard() async throws {
        // A file takes the place of the device, which would reset this machine.
        let device = "/tmp/continuity-watchdog-\(UUID().uuidString)"
        try Data().write(to: URL(fileURLWithPath: device))
        defer { unlink(device) }
        let bench = try await Bench(watchdog: device, deadlineInMs: 60_000)
        try await eventually("it is fed") {
            let fed = try Data(contentsOf: URL(filePath: device)).count
            return bench.link.status.feedsWatchdog && fed > 1
        }
        bench.link.release()
        #expect(try Data(contentsOf: URL(filePath: device)).last == UInt8(ascii: "V"))
    }
}

/// What a restarted agent makes of the lease of the one before it.
struct InheritedLeaseTests {
    private func record(
        _ until: BootInstant, state: String = "held", boot: String? = nil, lengthMs: Int64 = 3000
    ) throws -> Data {
        let own = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        return Data(
            "continuity-lease 1 \(boot ?? own) \(until.milliseconds) \(state) agent-0 \(lengthMs) raw\n"
                .utf8)
    }

    private func run(
        _ lease: Data, body: @escaping @Sendable (Harness) async throws -> Void
    ) async throws {
        let service = try StandInService()
        try service.say(.primary)
        try await service.start(stubborn: true)
        try lease.write(to: URL(fileURLWithPath: service.stateFile + ".lease"))
        try await Harness.run(service: service) { configuration, _ in
            configuration.guardProcess = GuardConfiguration(
                program: GuardConfiguration.defaultProgram())
        } body: {
            try await body($0)
        }
    }

    @Test func anEndedLeaseFencesAtOnce() async throws {
        let began = BootInstant.now
        try await run(try record(began + -1)) { harness in
            try await eventually("the service is fenced") {
                harness.service.processes.scan().isEmpty
            }
            #expect(BootInstant.now - began < Lease.provisionalMs)
        }
    }

    @Test func aLeaseOfAnEarlierBootHasEnded() async throws {
        let began = BootInstant.now
        try await run(try record(began + 600_000, boot: "another")) { harness in
            try await eventually("the service is fenced") {
                harness.service.processes.scan().isEmpty
            }
        }
    }

    @Test func aLeaseThatHoldsGoesOn() async throws {
        // Long enough for the agent to start on a busy machine.
        let end = BootInstant.now + 10_000
        try await run(try record(end, lengthMs: 10_000)) { harness in
            // A voter that cannot be asked: the lease is not extended.
            harness.orchestrator.answer {
                $0.peers = [
                    PeerAddress(
                        nodeID: "n2", agentURL: "http://127.0.0.1:1", serviceAddress: "127.0.0.1:1")
                ]
            }
            try await eventually("/primary answers 200 without a new grant") {
                try await harness.get("/primary").status == 200
            }
            try await eventually("the service is fenced") {
                harness.service.processes.scan().isEmpty
            }
            #expect(BootInstant.now >= end)
        }
    }

    @Test func afterAReleasedLeaseAPrimaryGetsTheShortGrace() async throws {
        let began = BootInstant.now
        try await run(try record(BootInstant(milliseconds: 0), state: "released")) { harness in
            try await eventually("the service is fenced") {
                harness.service.processes.scan().isEmpty
            }
            #expect(BootInstant.now - began < Lease.provisionalMs)
        }
    }

    @Test func anEndedLeaseIsWrittenAsReleasedOnceTheServiceIsSeenStopped() async throws {
        try await run(try record(.now + -1)) { harness in
            let path = harness.service.stateFile + ".lease"
            try await eventually("it is released, and by this agent") {
                let text = try String(contentsOfFile: path, encoding: .utf8)
                return text.contains(" released ") && !text.contains("agent-0")
            }
        }
    }
}
