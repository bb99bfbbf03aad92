import ContinuityCore
import ContinuityHTTP
import ContinuityNode
import Foundation
import Glibc
import Synchronization
import Testing

@testable import ContinuityAgent

/// The rules of a node with real processes.
struct NodeSafetyTests {
    private static let guarded: @Sendable (inout AgentConfiguration, StandInService) -> Void = {
        configuration, _ in
        configuration.guardProcess = GuardConfiguration(
            program: GuardConfiguration.defaultProgram())
        configuration.onShutdown = .handOver
    }

    private static let lonely = [
        PeerAddress(nodeID: "n2", agentURL: "http://127.0.0.1:1", serviceAddress: "127.0.0.1:1")
    ]

    // MARK: Orders that are stopped halfway

    @Test func aPromotionAtShutdownIsInDoubtAndItsServiceIsStopped() async throws {
        let service = try StandInService()
        let asking = Mutex<Task<CommandResult?, Never>?>(nil)
        try await Harness.run(service: service) { configuration, service in
            configuration.onShutdown = .stopPrimary
            configuration.commands[.promote] = service.logged("promote", then: "sleep 300")
        } body: { harness in
            try service.say(.secondary)
            try await service.start()
            try await harness.running(as: .secondary)
            let task = Task {
                try? await harness.order(.promote, key: "p", leaseMs: 60_000)
            }
            asking.withLock { $0 = task }
            try await eventually("it promotes") { service.log == ["promote"] }
        }
        let answer = await asking.withLock(\.self)?.value
        #expect(answer?.outcome == .inDoubt)
        #expect(service.processes.scan().isEmpty, "it may have become a primary")
        try await Harness.run(service: service) { harness in
            let again = try await harness.order(.promote, key: "p", epoch: 2)
            #expect(again.outcome == .inDoubt)
            #expect(service.log == ["promote"], "never twice under one key")
        }
    }

    @Test func aPromotionThatIsHandedOverStaysGuarded() async throws {
        let service = try StandInService()
        try await Harness.run(service: service) { configuration, service in
            Self.guarded(&configuration, service)
            configuration.commands[.promote] = service.logged("promote", then: "sleep 300")
        } body: { harness in
            try service.say(.secondary)
            try await service.start(stubborn: true)
            try await harness.running(as: .secondary)
            Task { _ = try? await harness.order(.promote, key: "p", leaseMs: 8000) }
            try await eventually("it promotes") { service.log == ["promote"] }
        }
        #expect(!service.processes.scan().isEmpty, "the next agent may come in time")
        try await eventually("the guard fences at the lease's end") {
            service.processes.scan().isEmpty
        }
    }

    /// What is on disk while the order runs is what an agent finds that comes after one that was
    /// killed.
    @Test func anAgentThatWasKilledInAPromotionKnowsThatItBegan() async throws {
        let service = try StandInService()
        let kept = Mutex(Data())
        try await Harness.run(service: service) { configuration, service in
            configuration.commands[.promote] = service.logged("promote", then: "sleep 300")
        } body: { harness in
            try service.say(.secondary)
            try await service.start()
            Task { _ = try? await harness.order(.promote, key: "p") }
            try await eventually("it promotes") { service.log == ["promote"] }
            let data = try Data(contentsOf: URL(fileURLWithPath: service.stateFile))
            kept.withLock { $0 = data }
        }
        try kept.withLock(\.self).write(to: URL(fileURLWithPath: service.stateFile))
        try await Harness.run(service: service) { harness in
            let again = try await harness.order(.promote, key: "p", epoch: 7)
            #expect(again.outcome == .inDoubt)
            #expect(again.detail.contains("begun"))
            #expect(service.log == ["promote"])
        }
    }

    @Test func aKnownKeyIsAnsweredWhateverItsEpoch() async throws {
        try await Harness.run { harness in
            try harness.service.say(.secondary)
            try await harness.service.start()
            let first = try await harness.order(.promote, key: "p", epoch: 3)
            #expect(first.outcome == .succeeded)
            _ = try await harness.order(.status, epoch: 9)
            let again = try await harness.order(.promote, key: "p", epoch: 3)
            #expect(again.outcome == .succeeded, "a refusal would say that nothing happened")
        }
    }

    // MARK: Promotions

    @Test func promotingAPrimaryIsASuccess() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.promote] = service.logged(
                "promote", then: service.becomeScript(.primary) + "; exit 1")
        } body: { harness in
            try harness.service.say(.secondary)
            try await harness.service.start()
            let first = try await harness.order(.promote, leaseMs: 60_000)
            #expect(first.outcome == .succeeded, "\(first.detail)")
            #expect(first.detail.contains("status 1"))
            let second = try await harness.order(.promote, leaseMs: 60_000)
            #expect(second.outcome == .succeeded)
            #expect(second.detail.contains("already"))
            #expect(harness.service.log == ["promote"])
        }
    }

    // MARK: Leases

    @Test func aStatusThatDoesNotTellTheRoleDoesNotDisarm() async throws {
        try await Harness.run(configure: Self.guarded) { harness in
            harness.orchestrator.answer {
                $0.leaseMs = 5000
                $0.peers = Self.lonely
            }
            try harness.service.say(.primary)
            try await harness.service.start(stubborn: true)
            try await eventually("/primary answers 200") {
                try await harness.get("/primary").status == 200
            }
            try harness.service.say(.unknown)
            let reports = harness.orchestrator.reports.count
            try await eventually("it is looked at") {
                harness.orchestrator.reports.count > reports + 3
            }
            #expect(harness.orchestrator.last?.service.role == .primary)
            harness.orchestrator.fallSilent()
            try await eventually("the service is fenced") {
                harness.service.processes.scan().isEmpty
            }
        }
    }

    @Test func aLeaseIsNotTakenAgainstOnesOwnPromise() async throws {
        try await Harness.run { harness in
            let asked = try await harness.post(
                "/v1/promises",
                PromiseRequest(
                    clusterID: Harness.clusterID, nodeID: "n2", epoch: 1, promiseMs: 60_000))
            let reply = try JSONDecoder().decode(PromiseReply.self, from: Data(asked.body))
            #expect(reply.promised)
            harness.orchestrator.answer { $0.leaseMs = 60_000 }
            let reports = harness.orchestrator.reports.count
            try await eventually("it is granted") {
                harness.orchestrator.reports.count > reports + 3
            }
            try harness.service.say(.primary)
            try await harness.service.start()
            try await harness.running(as: .primary)
            #expect(try await harness.get("/primary").status == 503)
            #expect(try await harness.order(.restart, leaseMs: 1000).outcome == .refused)
        }
    }

    @Test func aLeaseFileFromTheFutureIsNotBelieved() async throws {
        let service = try StandInService()
        try service.say(.primary)
        try await service.start(stubborn: true)
        let boot = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let end = BootInstant.now.milliseconds + 3_600_000
        try Data("continuity-lease 1 \(boot) \(end) held agent-0 3000 raw\n".utf8)
            .write(to: URL(fileURLWithPath: service.stateFile + ".lease"))
        try await Harness.run(service: service, configure: Self.guarded) { harness in
            harness.orchestrator.fallSilent()
            try await eventually("the service is fenced", within: .seconds(8)) {
                let status = try await harness.get("/primary").status
                #expect(status == 503)
                return service.processes.scan().isEmpty
            }
        }
    }

    @Test func aSecondOrchestratorOfOneEpochIsIgnored() async throws {
        try await Harness.run { harness in
            harness.orchestrator.answer { $0.instanceID = "A" }
            try await harness.reported("whom it obeys") { $0.instanceID == "A" }
            harness.orchestrator.answer {
                $0.instanceID = "B"
                $0.leaseMs = 60_000
            }
            try harness.service.say(.primary)
            try await harness.service.start()
            try await harness.running(as: .primary)
            #expect(try await harness.get("/primary").status == 503)
            let order = try await harness.order(.prepare) { $0.instanceID = "B" }
            #expect(order.outcome == .refused)
            #expect(order.detail.contains("instance A"))
            #expect(harness.orchestrator.last?.instanceID == "A")
        }
    }

    @Test func anUnleasedServiceNeedsNoOrchestrator() async throws {
        let service = try StandInService()
        try service.say(.primary)
        try await service.start()
        try await Harness.run(service: service, configure: Self.guarded) { harness in
            harness.orchestrator.answer {
                $0.leaseMs = 300
                $0.isUnleased = true
            }
            try await harness.reported("that it knows") { $0.isUnleased == true }
            try await eventually("/primary answers 200") {
                try await harness.get("/primary").status == 200
            }
        }
        try await Harness.run(service: service) { configuration, service in
            Self.guarded(&configuration, service)
            configuration.orchestrators = ["http://127.0.0.1:1"]
        } body: { harness in
            let end = ContinuousClock.now + .seconds(3)
            try await eventually("time passes", every: .milliseconds(50)) {
                #expect(service.processes.mainProcess() != nil)
                return ContinuousClock.now >= end
            }
            try await eventually("it serves") { try await harness.get("/primary").status == 200 }
        }
    }

    @Test func aPromiseIsAskedAgainWithTheEpochThatAVoterNames() async throws {
        try await Harness.run(node: "n2") { second in
            second.orchestrator.answer { $0.epoch = 4 }
            try second.service.say(.secondary)
            try await second.service.start()
            try await second.reported("the new leadership") { $0.highestEpoch == 4 }
            try await Harness.run { first in
                first.orchestrator.answer {
                    $0.leaseMs = 3000
                    $0.peers = [
                        PeerAddress(
                            nodeID: "n2", agentURL: second.url, serviceAddress: "127.0.0.1:1")
                    ]
                }
                try first.service.say(.primary)
                try await first.service.start()
                try await eventually("/primary answers 200") {
                    try await first.get("/primary").status == 200
                }
                first.orchestrator.fallSilent()
                let end = ContinuousClock.now + .seconds(6)
                try await eventually("time passes", every: .milliseconds(50)) {
                    #expect(first.service.processes.mainProcess() != nil)
                    return ContinuousClock.now >= end
                }
                #expect(try await first.get("/primary").status == 200)
            }
        }
    }

    @Test func asManyPromisesAsTheRuleAsksForAreEnough() async throws {
        try await Harness.run { harness in
            harness.orchestrator.answer {
                $0.leaseMs = 3000
                $0.peers = Self.lonely
                $0.promiseRule = PromiseRule(voters: ["n1", "n2"], needed: 0)
            }
            try harness.service.say(.primary)
            try await harness.service.start()
            try await harness.reported("its rule") { $0.promiseRule == "0/n1,n2" }
            try await eventually("/primary answers 200") {
                try await harness.get("/primary").status == 200
            }
            harness.orchestrator.fallSilent()
            let end = ContinuousClock.now + .seconds(6)
            try await eventually("time passes", every: .milliseconds(50)) {
                #expect(harness.service.processes.mainProcess() != nil)
                return ContinuousClock.now >= end
            }
            #expect(try await harness.get("/primary").status == 200)
        }
    }

    // MARK: First contact

    @Test func anAgentThatWasNeverGrantedALeaseStopsNothing() async throws {
        let service = try StandInService()
        try service.say(.primary)
        try await service.start()
        try await Harness.run(service: service, configure: Self.guarded) { harness in
            harness.orchestrator.refuse(
                (403, #"{"type":"urn:x:unknown-node","title":"t","detail":"no node n1"}"#))
            let end = ContinuousClock.now + .milliseconds(Lease.provisionalMs + 1500)
            try await eventually("time passes", every: .milliseconds(100)) {
                #expect(service.processes.mainProcess() != nil)
                return ContinuousClock.now >= end
            }
            let health = try await harness.get("/health")
            let text = String(decoding: health.body, as: UTF8.self)
            #expect(text.contains("would_do"))
            #expect(try await harness.get("/primary").status == 503)
        }
    }

    @Test func aProblemIsToldWithItsDetail() {
        let body = Array(#"{"type":"urn:x:stale-report","detail":"a newer one is known"}"#.utf8)
        let problem = Reporter.Problem(body)
        #expect(problem.isStaleReport)
        #expect(problem.text(409) == "status 409, a newer one is known")
        #expect(Reporter.Problem(Array("<html>".utf8)).text(502) == "status 502")
    }

    @Test func anAgentThatObservesDoesNothing() async throws {
        let service = try StandInService()
        try service.say(.primary)
        try await service.start()
        try Data("continuity-lease 1 old 0 held agent-0 3000\n".utf8)
            .write(to: URL(fileURLWithPath: service.stateFile + ".lease"))
        try await Harness.run(service: service) { configuration, service in
            Self.guarded(&configuration, service)
            configuration.mode = .observe
        } body: { harness in
            try await harness.reported("what it would do") {
                $0.service.detail.contains("only observes")
            }
            let fence = try await harness.order(.fence)
            #expect(fence.outcome == .refused)
            #expect(try await harness.order(.status).outcome == .succeeded)
            #expect(service.processes.mainProcess() != nil)
        }
        #expect(service.processes.mainProcess() != nil, "nor at its end")
    }

    @Test func aSecondAgentOfTheNodeIsNoticed() async throws {
        try await Harness.run { harness in
            try await eventually("reports") { harness.orchestrator.reports.count > 3 }
            harness.orchestrator.refuse(
                (409, #"{"type":"urn:continuity:problem:stale-report","detail":"older"}"#))
            let before = harness.orchestrator.reports.count
            try await eventually("it has tried") {
                harness.orchestrator.reports.count >= before + Reporter.outrankedLimit
            }
            // Reports every 50 ms would be 40 in that time.
            let end = ContinuousClock.now + .seconds(2)
            try await eventually("time passes", every: .milliseconds(100)) {
                ContinuousClock.now >= end
            }
            #expect(harness.orchestrator.reports.count <= before + Reporter.outrankedLimit + 4)
        }
    }

    // MARK: Upgrades

    @Test func aRestartOfTheAgentHandsTheLeaseOver() async throws {
        let service = try StandInService()
        try service.say(.primary)
        try await service.start(stubborn: true)
        let pid = try #require(service.mainPID)
        for round in 0..<3 {
            try await Harness.run(service: service, configure: Self.guarded) { harness in
                harness.orchestrator.answer { $0.leaseMs = 60_000 }
                try await eventually("/primary answers 200 in round \(round)") {
                    try await harness.get("/primary").status == 200
                }
            }
            #expect(service.processes.mainProcess()?.pid == pid, "it never noticed")
        }
        #expect(service.log.isEmpty)
        kill(pid, SIGKILL)
    }

    @Test func aServiceThatIsHandedOverToNobodyIsFencedByTheGuard() async throws {
        let service = try StandInService()
        try service.say(.primary)
        try await service.start(stubborn: true)
        try await Harness.run(service: service, configure: Self.guarded) { harness in
            harness.orchestrator.answer { $0.leaseMs = 5000 }
            try await eventually("/primary answers 200") {
                try await harness.get("/primary").status == 200
            }
        }
        #expect(service.processes.mainProcess() != nil)
        try await eventually("the guard fences") { service.processes.scan().isEmpty }
    }
}
