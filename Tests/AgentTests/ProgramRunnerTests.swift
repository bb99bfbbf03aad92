import Foundation
import Glibc
import Testing

@testable import ContinuityAgent

struct ProgramRunnerTests {
    @Test func givesOutputAndStatus() async {
        let result = await ProgramRunner.run(
            argv: ["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], timeoutMs: 20_000)
        #expect(result.ending == .exited(3))
        #expect(String(decoding: result.output, as: UTF8.self) == "out\n")
        #expect(result.tail == "err\nout")
    }

    @Test func tellsWhenThereIsNoProgram() async {
        let result = await ProgramRunner.run(argv: ["/no/such/program"], timeoutMs: 20_000)
        guard case .failedToStart = result.ending else {
            Issue.record("\(result.ending)")
            return
        }
    }

    @Test func aTimeoutKillsTheWholeGroup() async throws {
        let service = try StandInService()
        let result = await ProgramRunner.run(
            argv: [
                "/bin/sh", "-c",
                "trap '' TERM; cd '\(service.directory)'; sleep 300 & sleep 300 & wait",
            ], timeoutMs: 200)
        #expect(result.ending == .timedOut)
        try await eventually("the group is dead") { service.processes.scan().isEmpty }
    }

    @Test func cancellingKillsTheGroup() async throws {
        let service = try StandInService()
        let task = Task {
            await ProgramRunner.run(
                argv: ["/bin/sh", "-c", "cd '\(service.directory)'; sleep 300 & wait"],
                timeoutMs: 60_000)
        }
        try await eventually("it runs") { service.processes.scan().alive.count == 2 }
        task.cancel()
        #expect(await task.value.ending == .cancelled)
        try await eventually("the group is dead") { service.processes.scan().isEmpty }
    }

    /// As `pg_ctl start` does: the program ends, its daemon keeps standard output open.
    @Test func aDaemonThatHoldsTheOutputDoesNotHang() async throws {
        let service = try StandInService()
        let began = ContinuousClock.now
        try await service.start()
        #expect(ContinuousClock.now - began < .seconds(10))
        let main = try #require(service.processes.mainProcess())
        #expect(main.isAlive)
        // Nothing of the agent's but the three standard files reaches the service.
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(main.pid)/fd")
        #expect(Set(open) == ["0", "1", "2"])
        let output = try FileManager.default.destinationOfSymbolicLink(
            atPath: "/proc/\(main.pid)/fd/1")
        #expect(output.contains("continuity-output"))
    }

    @Test func stopsAProgramThatFloodsItsOutput() async {
        let result = await ProgramRunner.run(
            argv: ["/bin/sh", "-c", "while true; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done"],
            timeoutMs: 60_000)
        #expect(result.ending == .wroteTooMuch)
        #expect(result.tail.utf8.count <= ProgramRunner.tailLimitBytes)
    }

    @Test func aZombieIsDead() async throws {
        var pid = pid_t()
        let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("/bin/true"), nil]
        defer { free(arguments[0]) }
        #expect(posix_spawn(&pid, "/bin/true", nil, nil, arguments, nil) == 0)
        if let handle = ProcessHandle(pid: pid) {
            #expect(await handle.waitUntilDead(atMost: 10_000))
            #expect(!handle.send(signal: SIGKILL))
        }
        var status: CInt = 0
        _ = waitpid(pid, &status, 0)
    }
}
