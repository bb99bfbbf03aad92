import ContinuityCore
import ContinuityHTTP
import ContinuityNode
import Dispatch
import Foundation
import Glibc
import Testing

@testable import ContinuityAgent

/// What becomes of a fenced service that something else than an order starts.
struct PatrolTests {
    @Test func aFencedPrimaryThatIsStartedAgainIsStopped() async throws {
        let service = try StandInService()
        try await Harness.run(service: service) { harness in
            try service.say(.primary)
            try await service.start()
            harness.orchestrator.answer { $0.leaseMs = 60_000 }
            try await eventually("/primary answers 200") {
                try await harness.get("/primary").status == 200
            }
            let fenced = try await harness.order(.fence)
            #expect(fenced.receipt?.method == "killed")
            #expect(fenced.service?.isFenced == nil, "by order, not by its lease's end")
            try await service.start(stubborn: true)
            try await eventually("it is stopped", every: .milliseconds(1)) {
                let status = try await harness.get("/primary").status
                #expect(status == 503)
                return service.processes.scan().isEmpty
            }
        }
        // The next agent knows it too, and needs no orchestrator for it.
        try await Harness.run(service: service) { harness in
            harness.orchestrator.fallSilent()
            try await service.start(stubborn: true)
            try await eventually("it is stopped") { service.processes.scan().isEmpty }
        }
        try await Harness.run(service: service) { configuration, service in
            configuration.commands[.restart] = CommandTemplate(
                argv: service.script(), timeoutMs: 20_000)
        } body: { harness in
            try? FileManager.default.removeItem(atPath: service.pidFile)
            let started = try await harness.order(.restart, leaseMs: 60_000)
            #expect(started.outcome == .succeeded, "\(started.detail)")
            try await eventually("an order may start it") {
                try await harness.get("/primary").status == 200
            }
        }
    }

    @Test func oneThatComesUpAsASecondaryIsLeftAlone() async throws {
        try await Harness.run { harness in
            let service = harness.service
            try service.say(.primary)
            try await service.start()
            try await harness.running(as: .primary)
            #expect(try await harness.order(.fence).outcome == .succeeded)
            try service.say(.secondary, streaming: true)
            try await service.start()
            try await harness.running(as: .secondary)
            let end = ContinuousClock.now + .seconds(3)
            try await eventually("time passes", every: .milliseconds(50)) {
                #expect(service.processes.mainProcess() != nil)
                return ContinuousClock.now >= end
            }
            // By hand, without an order.
            try service.say(.primary)
            try await eventually("it is stopped") { service.processes.scan().isEmpty }
        }
    }

    @Test func aFenceAtTheLeasesEndIsReportedAlsoAfterARestart() async throws {
        let service = try StandInService()
        try await Harness.run(service: service) { harness in
            harness.orchestrator.answer {
                $0.leaseMs = 1000
                $0.peers = [
                    PeerAddress(
                        nodeID: "n2", agentURL: "http://127.0.0.1:1", serviceAddress: "127.0.0.1:1")
                ]
            }
            try service.say(.primary)
            try await service.start()
            try await eventually("/primary answers 200") {
                try await harness.get("/primary").status == 200
            }
            harness.orchestrator.refuse((503, "{}"))
            try await harness.reported("its fence") { $0.service.isFenced == true }
        }
        try await Harness.run(service: service) { harness in
            try await harness.reported("its fence") { $0.service.isFenced == true }
        }
    }

    @Test func thePatrolCostsNextToNothing() async throws {
        try await Harness.run { harness in
            let fenced = try await harness.order(.fence)
            #expect(fenced.outcome == .succeeded)
            func spent() -> Double {
                var usage = rusage()
                getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
                return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
                    + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
            }
            let processes = harness.service.processes
            let before = spent()
            for _ in 0..<1000 { _ = processes.mainProcess() }
            let eachMs = (spent() - before)
            // A thousand looks: 20 s of patrol. One per cent of a core would be 200 ms.
            print("a look of the patrol costs \(eachMs) ms")
            #expect(eachMs < 0.2)
        }
    }

    // MARK: Disks

    /// A writer that waits stands in for a disk that hangs.
    @Test func aDiskThatHangsDelaysNoFence() async throws {
        try await Harness.run { harness in
            let service = harness.service
            try service.say(.primary)
            try await service.start(stubborn: true)
            try await harness.running(as: .primary)
            // What writes the state file waits, as for an fsync that does not return.
            let disk = DispatchSemaphore(value: 0)
            harness.agent.state.file.queue.async { disk.wait() }
            defer { disk.signal() }
            async let stuck = harness.order(.prepare, epoch: 8)
            let began = ContinuousClock.now
            let result = try await harness.order(.fence, epoch: 9)
            #expect(result.outcome == .succeeded, "\(result.detail)")
            #expect(result.detail.contains("not saved"))
            #expect(ContinuousClock.now - began < .seconds(5))
            #expect(service.processes.scan().isEmpty)
            _ = try await stuck
        }
    }

    /// The kernel's words about a process that hangs with SIGKILL pending, from a folder in its
    /// place: none can be made to hang so on every machine.
    @Test func aProcessThatHangsWithSIGKILLPendingIsFenced() async throws {
        let service = try StandInService()
        try await service.start(stubborn: true)
        let pid = try #require(service.mainPID)
        let proc = "\(service.root)/proc"
        func tell(_ state: String, pending: String, task: pid_t) throws {
            let folder = "\(proc)/\(pid)/task/\(task)"
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            try Data("Name:\tx\nState:\t\(state)\nSigPnd:\t\(pending)\nShdPnd:\t0\n".utf8)
                .write(to: URL(fileURLWithPath: folder + "/status"))
        }
        var fencing = Fencing(processes: service.processes, tag: "none")
        fencing.proc = proc
        #expect(fencing.proof() == nil, "nothing is known of it")
        try tell("D (disk sleep)", pending: "0000000000000100", task: pid)
        #expect(fencing.proof() == .killPending([pid]))
        try tell("R (running)", pending: "0000000000000100", task: pid)
        #expect(fencing.proof() == nil, "it may be running its own code")
        try tell("D (disk sleep)", pending: "0000000000004000", task: pid)
        #expect(fencing.proof() == nil, "SIGTERM alone kills nobody")
        try tell("D (disk sleep)", pending: "0000000000000100", task: pid)
        try tell("S (sleeping)", pending: "0000000000000000", task: pid + 1)
        #expect(fencing.proof() == nil, "another thread can act")
        try tell("Z (zombie)", pending: "0000000000000000", task: pid + 1)
        #expect(fencing.proof() == .killPending([pid]))
        fencing.proc = "/proc"
        #expect(fencing.proof() == nil)
    }

    // MARK: Supervisors

    @Test(arguments: [
        ("masked", "masked", "no", true, "masked"), ("loaded", "disabled", "no", true, "by hand"),
        ("loaded", "enabled", "no", false, "at boot"),
        ("loaded", "disabled", "on-failure", false, "Restart=on-failure"),
        ("not-found", "", "no", false, "no such unit"),
    ])
    func theServicesUnitIsLookedAt(
        _ load: String, _ file: String, _ restart: String, _ isSafe: Bool, _ words: String
    ) async throws {
        let service = try StandInService()
        let program = "\(service.root)/systemctl"
        let text = """
            #!/bin/sh
            test "$1" = show && test "$4" = pg.service || exit 3
            printf 'Restart=\(restart)\\nLoadState=\(load)\\nUnitFileState=\(file)\\n'
            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: program))
        chmod(program, 0o755)
        let found = await UnitCheck.run(unit: "pg.service", systemctl: program)
        #expect(found.isSafe == isSafe)
        #expect(found.text.contains(words), "\(found.text)")
    }

    @Test func aServiceManagerThatDoesNotAnswerIsNoGoodNews() async {
        let found = await UnitCheck.run(unit: "pg.service", systemctl: "/bin/false")
        #expect(!found.isSafe)
        #expect(found.text.contains("/bin/false"))
    }
}
