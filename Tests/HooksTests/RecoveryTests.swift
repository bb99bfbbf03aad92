import ContinuityCore
import Glibc
import Testing

@testable import ContinuityHooks

@Suite("Crashes and load")
struct RecoveryTests {
    private static func waitingPack() throws -> HookPack {
        try HookTesting.pack(
            "ctx.notify('ops', { summary = 's' }) return true", kind: .action,
            manifest: HostCallTests.wants + "\nbudgets: {wall_ms: 20000}")
    }

    /// Starts an invocation that waits in a host call, so that the test knows where it stands.
    private static func startWaiting(
        _ runtime: HookRuntime, _ broker: WaitingBroker
    ) async throws -> Task<HookOutcome, Never> {
        let pack = try waitingPack()
        let task = Task {
            await HookTesting.run(
                runtime, pack, grant: HookGrant(notifyChannels: ["ops"]), broker: broker)
        }
        #expect(await broker.nextCall() != nil)
        return task
    }

    @Test("a worker that crashes gives the outcome crash, with its signal")
    func crash() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let broker = WaitingBroker()
        let invocation = try await Self.startWaiting(runtime, broker)
        for worker in HookTesting.workers(of: runtime) { kill(worker, SIGSEGV) }
        broker.release()
        let outcome = await invocation.value
        #expect(outcome.status == .crash)
        #expect(outcome.error == "the sandbox worker was ended by signal 11", "\(outcome)")
        // The idle ones that died with it are replaced; one may be met before it is seen dead.
        let good = try HookTesting.pack("return true")
        var statuses: [HookOutcome.Status] = []
        for _ in 1...4 where statuses.last != .ok {
            statuses.append(await HookTesting.run(runtime, good).status)
        }
        #expect(statuses.last == .ok, "\(statuses)")
    }

    @Test("when the zygote is killed its workers die, and it is started again")
    func zygoteKilled() async throws {
        let runtime = try HookTesting.runtime(workers: 2)
        defer { runtime.shutdown() }
        let good = try HookTesting.pack("return true", manifest: "budgets: {wall_ms: 10000}")
        for _ in 1...3 {
            let before = runtime.sandboxProcessID
            let broker = WaitingBroker()
            let invocation = try await Self.startWaiting(runtime, broker)
            #expect(kill(before, SIGKILL) == 0)
            broker.release()
            let outcome = await invocation.value
            // The answer may have been faster than the death.
            #expect(outcome.status == .crash || outcome.status == .ok, "\(outcome)")
            // The idle workers of the dead zygote may be met first, few as they are; after them an
            // invocation waits for the next zygote.
            var statuses: [HookOutcome.Status] = []
            for _ in 1...6 where runtime.sandboxProcessID == before || statuses.last != .ok {
                statuses.append(await HookTesting.run(runtime, good).status)
            }
            #expect(statuses.last == .ok, "\(statuses)")
            #expect(runtime.sandboxProcessID != before)
        }
    }

    @Test("many invocations at once all come out right, and leave no process behind")
    func sustained() async throws {
        let runtime = try HookTesting.runtime(workers: 4)
        let pack = try HookTesting.pack(
            "local n = 0 for i = 1, 1000 do n = n + i end return { n = n, id = ctx.id }",
            manifest: "budgets: {wall_ms: 30000}")
        let bad = try HookTesting.pack(
            "while true do end", manifest: "budgets: {instructions: 50000, wall_ms: 30000}")
        let wrong = await withTaskGroup(of: Bool.self) { group in
            for client in 0..<16 {
                group.addTask {
                    for round in 0..<25 {
                        let id = JSONValue.int(Int64(client * 100 + round))
                        let outcome =
                            round % 5 == 4
                            ? await HookTesting.run(runtime, bad)
                            : await HookTesting.run(runtime, pack, context: ["id": id])
                        let isRight =
                            round % 5 == 4
                            ? outcome.limit == "instructions"
                            : outcome.value == ["n": 500500, "id": id]
                        if !isRight { return false }
                    }
                    return true
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 0 : 1) }
        }
        #expect(wrong == 0)
        #expect(HookTesting.workers(of: runtime).count <= 4 + 4)
        let zygote = runtime.sandboxProcessID
        runtime.shutdown()
        #expect(kill(zygote, 0) == -1)
        #expect(HookTesting.workers(of: runtime).isEmpty)
    }

    @Test("an invocation that finds no free worker in time gives crash instead of waiting")
    func noFreeWorker() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let broker = WaitingBroker()
        let first = try await Self.startWaiting(runtime, broker)
        let second = await HookTesting.run(
            runtime, try HookTesting.pack("return true", manifest: "budgets: {wall_ms: 50}"))
        #expect(second.status == .crash)
        #expect(second.error?.hasPrefix("no sandbox worker was free within 50 ms") == true)
        broker.release()
        #expect(await first.value.status == .ok)
    }

    @Test("after shutdown every invocation is a crash, at once")
    func afterShutdown() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        runtime.shutdown()
        runtime.shutdown()
        #expect(
            await HookTesting.run(runtime, try HookTesting.pack("return true")).status == .crash)
    }

    @Test("shutdown ends what runs")
    func shutdownWhileRunning() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        let broker = WaitingBroker()
        let invocation = try await Self.startWaiting(runtime, broker)
        runtime.shutdown()
        broker.release()
        #expect(await invocation.value.status == .crash)
    }
}
