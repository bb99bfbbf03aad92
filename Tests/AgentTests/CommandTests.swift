import ContinuityCore
import ContinuityHTTP
import ContinuityNode
import Foundation
import Glibc
import Logging
import Synchronization
import Testing

@testable import ContinuityAgent

struct CommandTests {
    @Test func fenceOfAStoppedServiceGivesAReceiptAtOnce() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.fence] = service.logged("fence")
        } body: { harness in
            let result = try await harness.order(.fence, epoch: 7)
            #expect(result.outcome == .succeeded)
            #expect(result.receipt?.method == "already_stopped")
            #expect(result.receipt?.epoch == 7)
            #expect(result.service?.state == .stopped)
            #expect(harness.service.log.isEmpty)
        }
    }

    @Test func fenceKillsWhatIgnoresItsCommand() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.fence] = service.logged("fence", then: service.stopScript())
        } body: { harness in
            try harness.service.say(.primary)
            try await harness.service.start(stubborn: true, children: 3)
            let result = try await harness.order(.fence)
            #expect(result.outcome == .succeeded, "\(result.detail)")
            #expect(result.receipt?.method == "killed")
            #expect(result.receipt?.processesKilled == 4)
            #expect(harness.service.log == ["fence"])
            #expect(harness.service.processes.scan().isEmpty)
        }
    }

    @Test func fenceNeedsNoCommand() async throws {
        try await Harness.run { harness in
            try harness.service.say(.primary)
            try await harness.service.start(stubborn: true)
            let result = try await harness.order(.fence)
            #expect(result.receipt?.method == "killed")
        }
    }

    @Test func fenceStopsARunningCommand() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.prepare] = service.logged("prepare", then: "sleep 300")
        } body: { harness in
            try await harness.service.start()
            async let prepared = harness.order(.prepare)
            try await eventually("prepare runs") { harness.service.log == ["prepare"] }
            let fenced = try await harness.order(.fence)
            #expect(fenced.outcome == .succeeded)
            #expect(fenced.receipt?.method == "killed")
            #expect(try await prepared.outcome == .inDoubt)
        }
    }

    @Test(arguments: [(75, true), (1, nil)] as [(Int, Bool?)])
    func prepareTellsWhatKeepsTheServiceFromStopping(_ status: Int, _ isHindered: Bool?)
        async throws
    {
        try await Harness.run { configuration, service in
            configuration.commands[.prepare] = service.logged(
                "prepare", then: "echo 'the archiver hangs' >&2; exit \(status)")
        } body: { harness in
            try await harness.service.start()
            let result = try await harness.order(.prepare)
            #expect(result.outcome == .failed && result.isHindered == isHindered)
            #expect(result.detail.hasSuffix("the archiver hangs"))
            #expect(result.detail == "the archiver hangs" || isHindered == nil)
        }
    }

    @Test func theAgentsEndDoesNotWaitForACommand() async throws {
        let began = ContinuousClock.now
        try await Harness.run { configuration, service in
            configuration.commands[.prepare] = service.logged("prepare", then: "sleep 300")
        } body: { harness in
            let asking = Task { try? await harness.order(.prepare, timeoutMs: 300_000) }
            try await eventually("prepare runs") { harness.service.log == ["prepare"] }
            await harness.shutDown()
            _ = await asking.value
        }
        #expect(ContinuousClock.now - began < .seconds(20))
    }

    /// A program that is killed while it starts the service leaves a process that is not in the
    /// service's directory yet.
    @Test func fenceFindsAServiceThatIsJustBeingStarted() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.restart] = service.logged(
                "restart",
                then: "setsid /bin/sh -c 'echo $$ > \(service.root)/early; exec sleep 300' & wait")
        } body: { harness in
            let early = "\(harness.service.root)/early"
            async let restarted = harness.order(.restart)
            var pid: pid_t = 0
            try await eventually("the daemon runs") {
                let text = try? String(contentsOfFile: early, encoding: .utf8)
                pid = pid_t(text?.trimmingCharacters(in: .newlines) ?? "") ?? 0
                return pid > 0
            }
            let handle = try #require(ProcessHandle(pid: pid))
            let fenced = try await harness.order(.fence)
            #expect(fenced.receipt != nil)
            _ = try await restarted
            // It was either fenced as an orphan, or not adopted yet when the fence looked first.
            let again = try await harness.order(.fence)
            #expect(again.receipt != nil)
            #expect(!handle.isAlive)
        }
    }

    @Test func demoteWaitsForTheEndAndGivesTheFinalPosition() async throws {
        try await Harness.run { harness in
            try harness.service.say(.primary, position: 77)
            try await harness.service.start()
            try await harness.running(as: .primary)
            let result = try await harness.order(.demote)
            #expect(result.outcome == .succeeded, "\(result.detail)")
            #expect(result.receipt?.method == "command")
            #expect(result.service?.state == .stopped)
            #expect(result.service?.positionBytes == 77)
        }
    }

    @Test func promoteWaitsUntilTheServiceSaysSo() async throws {
        try await Harness.run { harness in
            try harness.service.say(.secondary, streaming: true)
            try await harness.service.start()
            try await harness.running(as: .secondary)
            #expect(try await harness.get("/replica").status == 200)
            let result = try await harness.order(.promote, leaseMs: 60_000)
            #expect(result.outcome == .succeeded, "\(result.detail)")
            #expect(result.service?.role == .primary)
            #expect(result.service?.state == .running)
            #expect(try await harness.get("/primary").status == 200)
            #expect(try await harness.get("/replica").status == 503)
            try await harness.running(as: .primary)
        }
    }

    @Test func promoteTimesOutWhenTheServiceStaysSecondary() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.promote] = service.logged("promote")
        } body: { harness in
            try harness.service.say(.secondary)
            try await harness.service.start()
            let result = try await harness.order(.promote, timeoutMs: 4000)
            #expect(result.outcome == .timedOut)
            #expect(result.detail.contains("role is secondary"))
        }
    }

    /// Issue 15, 25: a promotion whose server has died waited for its whole time.
    @Test func aPromotionEndsWithItsServer() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.promote] = service.logged(
                "promote", then: service.stopScript(signal: "KILL"))
        } body: { harness in
            try harness.service.say(.secondary, streaming: true)
            try await harness.service.start()
            try await harness.running(as: .secondary)
            let began = ContinuousClock.now
            let result = try await harness.order(.promote, timeoutMs: 60_000)
            #expect(result.outcome == .failed)
            #expect(result.detail.contains("the service has ended"), "\(result.detail)")
            #expect(result.service?.state == .stopped)
            #expect(ContinuousClock.now - began < .seconds(30))
        }
    }

    @Test func aStatusForAStoppedServiceIsNotEnough() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.restart] = service.logged("restart")
        } body: { harness in
            try harness.service.say(.secondary)
            let result = try await harness.order(.restart, timeoutMs: 4000)
            #expect(result.outcome == .timedOut)
            #expect(result.detail.contains("no main process"))
            #expect(result.service?.state == .stopped)
        }
    }

    /// Issue 15, 6 and 13: what a program proves of its data reaches the orchestrator.
    @Test func aFollowThatFindsAnotherHistorySaysSo() async throws {
        try await Harness.run { configuration, _ in
            configuration.commands[.follow] = CommandTemplate(
                argv: ["/bin/sh", "-c", "echo parted >&2; exit $1", "follow", "{primary_port}"],
                timeoutMs: 20_000)
        } body: { harness in
            try harness.service.say(.secondary)
            try await harness.service.start()
            try await harness.running(as: .secondary)
            #expect(try await harness.get("/replica").status == 503)
            #expect(try await harness.get("/readable").status == 200, "what it has it can serve")
            for (status, isDiverged) in [(6, true), (7, nil)] as [(Int, Bool?)] {
                let result = try await harness.order(.follow) {
                    $0.primaryNodeID = "n2"
                    $0.primaryAddress = "10.0.0.2:\(status)"
                }
                #expect(result.outcome == .failed)
                #expect(result.detail.contains("parted"))
                #expect(result.isDiverged == isDiverged)
            }
        }
    }

    @Test(arguments: RejoinPolicy.allCases)
    func aRejoinIsToldThePolicy(_ policy: RejoinPolicy) async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.rejoin] = service.logged(
                "$CONTINUITY_REJOIN", then: "exit 1")
        } body: { harness in
            _ = try await harness.order(.rejoin) {
                $0.primaryNodeID = "n2"
                $0.primaryAddress = "10.0.0.2:5432"
                $0.rejoin = policy
            }
            #expect(harness.service.log == [policy.rawValue])
        }
    }

    @Test func restartAndRejoinStartADaemonAndWaitForIt() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.restart] = CommandTemplate(
                argv: service.script(), timeoutMs: 20_000)
            configuration.commands[.rejoin] = CommandTemplate(
                argv: [
                    "/bin/sh", "-c", "echo \"$1\" >> '\(service.logFile)'", "rejoin",
                    "{primary_host}/{primary_port}/{primary_node_id}/{node_id}/{epoch}",
                ], timeoutMs: 20_000)
        } body: { harness in
            try harness.service.say(.secondary)
            let restarted = try await harness.order(.restart)
            #expect(restarted.outcome == .succeeded, "\(restarted.detail)")
            #expect(restarted.service?.state == .running)
            let rejoined = try await harness.order(.rejoin, epoch: 3) {
                $0.primaryAddress = "127.0.0.1:5433"
                $0.primaryNodeID = "n2"
            }
            #expect(rejoined.outcome == .succeeded, "\(rejoined.detail)")
            #expect(harness.service.log == ["127.0.0.1/5433/n2/n1/3"])
            let lacking = try await harness.order(.rejoin, epoch: 3)
            #expect(lacking.outcome == .failed)
            #expect(lacking.detail.contains("primary_address"))
        }
    }

    /// The order's time bounds one asking, not the work: a base backup takes as long as it takes.
    @Test func aRejoinGoesOnBeyondItsOrdersTimeWhileItMoves() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.rejoin] = service.logged(
                "rejoin",
                then: "for i in $(seq 30); do echo $i > \(service.root)/copied; sleep 0.1; done")
        } body: { harness in
            try harness.service.say(.secondary)
            try await harness.service.start()
            async let rejoined = harness.order(.rejoin, key: "long", timeoutMs: 500)
            try await harness.reported("a rejoin under way that moves") {
                $0.work?.key == "long" && $0.work?.command == "rejoin"
                    && ($0.work?.runningMs ?? 0) > 1000 && ($0.work?.stillMs ?? .max) < 1000
            }
            let result = try await rejoined
            #expect(result.outcome == .succeeded, "\(result.detail)")
            #expect(result.durationMs > 2500)
            // Who asks again hears what came of it, and it is not done again.
            let again = try await harness.order(.rejoin, key: "long", timeoutMs: 500)
            #expect(again.outcome == .succeeded)
            #expect(harness.service.log == ["rejoin"])
            try await harness.reported("no work") { $0.work == nil }
        }
    }

    @Test func aRejoinThatStandsStillIsEnded() async throws {
        try await Harness.run { configuration, service in
            var template = service.logged("rejoin", then: "exec sleep 300")
            template.stallMs = 1500
            template.timeoutMs = 300_000
            configuration.commands[.rejoin] = template
            configuration.commands[.prepare] = service.logged("prepare", then: "exec sleep 300")
        } body: { harness in
            try await harness.service.start()
            let result = try await harness.order(.rejoin, timeoutMs: 300_000)
            #expect(result.outcome == .failed)
            #expect(result.detail.contains("neither read, wrote nor computed"), "\(result.detail)")
            // Nothing else goes on beyond its order.
            let bounded = try await harness.order(.prepare, timeoutMs: 500)
            #expect(bounded.outcome == .timedOut)
        }
    }

    @Test func anOrderWhoseSenderHasGivenUpIsNotBegun() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.prepare] = service.logged("prepare")
            configuration.commands[.restart] = service.logged("restart", then: "sleep 1")
        } body: { harness in
            try await harness.service.start()
            let late = try await harness.order(.prepare) {
                $0.notAfterMs = BootInstant.now.milliseconds - 1
            }
            #expect(late.outcome == .refused)
            #expect(late.detail.contains("given up"))
            #expect(harness.service.log.isEmpty)
            // One that came in time, and whose turn comes too late, behind another.
            async let first = harness.order(.restart)
            try await eventually("the first runs") { harness.service.log == ["restart"] }
            let waited = try await harness.order(.prepare, key: "waits") {
                $0.notAfterMs = BootInstant.now.milliseconds + 300
            }
            #expect(waited.outcome != .succeeded)
            _ = try await first
            // A copy of it that arrives later finds the same answer, or is too late itself.
            let copy = try await harness.order(.prepare, key: "waits") {
                $0.notAfterMs = BootInstant.now.milliseconds - 1
            }
            #expect(copy.outcome != .succeeded)
            let inTime = try await harness.order(.prepare) {
                $0.notAfterMs = BootInstant.now.milliseconds + 20_000
            }
            #expect(inTime.outcome == .succeeded, "\(inTime.detail)")
            #expect(harness.service.log == ["restart", "prepare"])
        }
    }

    /// What `serve` asks for again after its restart, and also after the agent's.
    @Test func whatWasDoneIsAnsweredFromMemoryThroughARestartOfTheAgent() async throws {
        let service = try StandInService()
        let prepare: @Sendable (inout AgentConfiguration, StandInService) -> Void = { it, service in
            it.commands[.prepare] = service.logged("prepare")
            it.onShutdown = .leave
        }
        let answers = Mutex<[CommandResult]>([])
        for _ in 0..<2 {
            try await Harness.run(service: service, configure: prepare) { harness in
                if service.processes.mainProcess() == nil { try await service.start() }
                for epoch: Int64 in [3, 4] {
                    let result = try await harness.order(.prepare, key: "run-1/p", epoch: epoch)
                    answers.withLock { $0.append(result) }
                }
            }
        }
        #expect(service.log == ["prepare"], "one effect, whoever asks and however often")
        #expect(answers.withLock { $0.map(\.outcome) } == Array(repeating: .succeeded, count: 4))
    }

    @Test func theSameKeyRunsOnce() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.prepare] = service.logged("prepare", then: "sleep 0.3")
        } body: { harness in
            async let first = harness.order(.prepare, key: "once")
            async let second = harness.order(.prepare, key: "once")
            let results = try await [first, second]
            #expect(results[0] == results[1])
            #expect(results[0].outcome == .succeeded)
            #expect(try await harness.order(.prepare, key: "once") == results[0])
            #expect(harness.service.log == ["prepare"])
        }
    }

    @Test func aStaleEpochIsRefusedAlsoAfterARestart() async throws {
        let service = try StandInService()
        let prepare: @Sendable (inout AgentConfiguration, StandInService) -> Void = {
            $0.commands[.prepare] = $1.logged("prepare")
        }
        try await Harness.run(service: service, configure: prepare) { harness in
            let first = try await harness.order(.prepare, key: "a", epoch: 9)
            #expect(first.outcome == .succeeded)
            #expect(try await harness.order(.prepare, epoch: 8).outcome == .refused)
        }
        try await Harness.run(service: service, configure: prepare) { harness in
            let stale = try await harness.order(.prepare, epoch: 8)
            #expect(stale.outcome == .refused)
            #expect(stale.detail.contains("epoch 9"))
            // The result is remembered across the restart, too.
            #expect(try await harness.order(.prepare, key: "a", epoch: 9).outcome == .succeeded)
            #expect(try await harness.order(.prepare, epoch: 9, node: "n2").outcome == .refused)
            // The orchestrator's reply has epoch 1: nothing of it counts.
            try await eventually("reports") { harness.orchestrator.reports.count > 3 }
            #expect(harness.orchestrator.last?.highestEpoch == 9)
        }
        #expect(service.log == ["prepare"])
    }

    @Test func aFailedProgramIsExplained() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.prepare] = service.logged(
                "prepare", then: "echo disk is full >&2; exit 4")
            configuration.commands[.follow] = service.logged(
                "follow", then: "sleep 300", timeoutMs: 200)
        } body: { harness in
            let failed = try await harness.order(.prepare)
            #expect(failed.outcome == .failed)
            #expect(failed.detail.contains("status 4"))
            #expect(failed.detail.contains("disk is full"))
            #expect(try await harness.order(.follow).outcome == .timedOut)
            let missing = try await harness.order(.rejoin)
            #expect(missing.outcome == .failed)
            #expect(missing.detail.contains("no command 'rejoin'"))
        }
    }

    @Test func ordersNeedTheTokenAndSense() async throws {
        try await Harness.run { harness in
            let denied = try await harness.post("/v1/commands", ["a": "b"], token: "wrong")
            #expect(denied.status == 401)
            let malformed = try await harness.post("/v1/commands", ["a": "b"])
            #expect(malformed.status == 400)
            #expect(malformed.headers["content-type"] == "application/problem+json")
            let large = try await harness.post(
                "/v1/commands", [String(repeating: "a", count: 100_000)])
            #expect(large.status == 413)
            #expect(try await harness.get("/health").status == 200)
        }
    }

    @Test func aStateFileOfANewerAgentIsRefusedAndNotTouched() async throws {
        let service = try StandInService()
        let newer = Data(#"{"format":2,"highest_epoch":7,"results":[],"novelty":{"a":1}}"#.utf8)
        try newer.write(to: URL(fileURLWithPath: service.stateFile))
        let configuration = Harness.configuration(
            node: "n1", service: service, orchestratorPort: 1)
        let error = #expect(throws: StateFileError.self) {
            _ = try NodeState(configuration: configuration, logger: Logger(label: "agent"))
        }
        #expect(error?.description.contains("newer agent wrote it in format 2") == true)
        #expect(try Data(contentsOf: URL(fileURLWithPath: service.stateFile)) == newer)
    }

    @Test func anUnreadableStateFileIsAnError() async throws {
        let service = try StandInService()
        try Data("{".utf8).write(to: URL(fileURLWithPath: service.stateFile))
        let configuration = Harness.configuration(
            node: "n1", service: service, orchestratorPort: 1)
        let error = #expect(throws: StateFileError.self) {
            _ = try NodeState(
                configuration: configuration, logger: Logger(label: "agent"))
        }
        #expect(error?.description.contains("cannot be read") == true)
    }
}
