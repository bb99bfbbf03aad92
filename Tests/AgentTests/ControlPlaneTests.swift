import ContinuityCore
import ContinuityHTTP
import ContinuityNode
import Foundation
import Glibc
import Testing

@testable import ContinuityAgent

/// Leases, promises, peers, and the end of the agent.
struct ControlPlaneTests {
    @Test func primaryAnswersOnlyWithALease() async throws {
        try await Harness.run { harness in
            try harness.service.say(.primary)
            try await harness.service.start()
            try await harness.running(as: .primary)
            #expect(try await harness.get("/primary").status == 503)
            harness.orchestrator.answer { $0.leaseMs = 60_000 }
            try await eventually("/primary answers 200") {
                try await harness.get("/primary").status == 200
            }
            let body = try await harness.get("/primary").body
            #expect(String(decoding: body, as: UTF8.self).contains("lease_remaining_ms"))
        }
    }

    @Test func aLeaseThatRunsOutFences() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.fence] = service.logged("fence")
        } body: { harness in
            // A voter that cannot be asked: the lease is not extended.
            harness.orchestrator.answer {
                $0.leaseMs = 1500
                $0.peers = [
                    PeerAddress(
                        nodeID: "n2", agentURL: "http://127.0.0.1:1", serviceAddress: "127.0.0.1:1")
                ]
            }
            try harness.service.say(.primary)
            try await harness.service.start(stubborn: true)
            try await eventually("/primary answers 200") {
                try await harness.get("/primary").status == 200
            }
            harness.orchestrator.fallSilent()
            try await eventually("the service is fenced") {
                harness.service.processes.scan().isEmpty
            }
            #expect(try await harness.get("/primary").status == 503)
            #expect(harness.service.log == ["fence"])
        }
    }

    @Test func anOrchestratorOfALowerEpochCannotRenew() async throws {
        try await Harness.run { harness in
            harness.orchestrator.answer {
                $0.leaseMs = 1500
                $0.peers = [
                    PeerAddress(
                        nodeID: "n2", agentURL: "http://127.0.0.1:1", serviceAddress: "127.0.0.1:1")
                ]
            }
            try harness.service.say(.primary)
            try await harness.service.start()
            try await eventually("/primary answers 200") {
                try await harness.get("/primary").status == 200
            }
            // Now the agent knows epoch 5, and the answers still come from epoch 1.
            _ = try await harness.order(.status, epoch: 5)
            try await eventually("the service is fenced") {
                harness.service.processes.scan().isEmpty
            }
        }
    }

    @Test func aPromiseOfEveryVoterExtendsTheLeaseAndBlocksPromotion() async throws {
        try await Harness.run(node: "n2") { second in
            try second.service.say(.secondary)
            try await second.service.start()
            try await second.running(as: .secondary)
            let peer = PeerAddress(
                nodeID: "n2", agentURL: second.url, serviceAddress: "127.0.0.1:1")
            try await Harness.run { first in
                first.orchestrator.answer {
                    $0.leaseMs = 1500
                    $0.peers = [peer]
                }
                try first.service.say(.primary)
                try await first.service.start()
                try await eventually("/primary answers 200") {
                    try await first.get("/primary").status == 200
                }
                first.orchestrator.fallSilent()
                // Longer than the lease: without the promise it would be fenced by now.
                let end = ContinuousClock.now + .seconds(4)
                try await eventually("time passes", every: .milliseconds(100)) {
                    #expect(first.service.processes.mainProcess() != nil)
                    return ContinuousClock.now >= end
                }
                #expect(try await first.get("/primary").status == 200)
                let refused = try await second.order(.promote, epoch: 5, node: "n2")
                #expect(refused.outcome == .refused)
                #expect(refused.detail.contains("promised to n1"))
            }
        }
    }

    @Test func aDenialIsOverOnceAnAnswerSaysSo() async throws {
        try await Harness.run(node: "n2") { harness in
            try harness.service.say(.secondary)
            try await harness.service.start()
            try await harness.running(as: .secondary)
            func ask() async throws -> PromiseReply {
                let response = try await harness.post(
                    "/v1/promises",
                    PromiseRequest(
                        clusterID: Harness.clusterID, nodeID: "n1", epoch: 1, promiseMs: 50))
                return try JSONDecoder().decode(PromiseReply.self, from: Data(response.body))
            }
            #expect(try await ask().promised)
            let denied = try await harness.order(.status, node: "n2") {
                $0.deniesPromisesTo = "n1"
                $0.deniesPromisesMs = 86_400_000
            }
            #expect(denied.outcome == .succeeded)
            // The answers of meanwhile end nothing.
            let reports = harness.orchestrator.reports.count
            try await eventually("it reports") { harness.orchestrator.reports.count > reports + 2 }
            #expect(try await !ask().promised)
            harness.orchestrator.answer { $0.endsDenials = true }
            try await eventually("it promises again") { try await ask().promised }
        }
    }

    @Test func aPrimaryPromisesNothing() async throws {
        try await Harness.run { harness in
            harness.orchestrator.answer { $0.leaseMs = 60_000 }
            try harness.service.say(.primary)
            try await harness.service.start()
            try await harness.running(as: .primary)
            let response = try await harness.post(
                "/v1/promises",
                PromiseRequest(
                    clusterID: Harness.clusterID, nodeID: "n2", epoch: 1, promiseMs: 1000))
            let reply = try JSONDecoder().decode(PromiseReply.self, from: Data(response.body))
            #expect(!reply.promised)
            #expect(reply.detail.contains("primary"))
        }
    }

    @Test func viewsOfPeersAreReported() async throws {
        try await Harness.run(node: "n2") { second in
            try await Harness.run { first in
                let open = "127.0.0.1:\(second.orchestrator.port ?? 0)"
                let closed = "http://127.0.0.1:1"
                first.orchestrator.answer {
                    $0.peers = [
                        PeerAddress(
                            nodeID: "n2", agentURL: second.url, serviceAddress: "127.0.0.1:1"),
                        PeerAddress(nodeID: "n3", agentURL: closed, serviceAddress: open),
                        PeerAddress(nodeID: "n4", agentURL: closed, serviceAddress: "127.0.0.1:1"),
                    ]
                }
                try await first.reported("three views") {
                    $0.peers == ["n2": .serviceStopped, "n3": .serviceOnly, "n4": .unreachable]
                }
                try second.service.say(.secondary)
                try await second.service.start()
                try await first.reported("its service that runs") { $0.peers["n2"] == .reachable }
                await second.shutDown()
                try await first.reported("a peer that went away") {
                    $0.peers["n2"] == .unreachable
                }
            }
        }
    }

    @Test func shutdownStopsAPrimaryAndLeavesASecondary() async throws {
        let service = try StandInService()
        let stop: @Sendable (inout AgentConfiguration, StandInService) -> Void = { it, _ in
            it.onShutdown = .stopPrimary
        }
        try await Harness.run(service: service, configure: stop) { harness in
            try service.say(.secondary)
            try await service.start()
            try await harness.running(as: .secondary)
        }
        #expect(service.processes.mainProcess() != nil)
        try await Harness.run(service: service, configure: stop) { harness in
            harness.orchestrator.answer { $0.leaseMs = 60_000 }
            try service.say(.primary)
            try await harness.running(as: .primary)
        }
        #expect(service.processes.scan().isEmpty)
        #expect(service.log == ["demote"])
    }

    @Test func triesTheNextOrchestrator() async throws {
        try await Harness.run { configuration, _ in
            configuration.orchestrators.insert("http://127.0.0.1:1", at: 0)
        } body: { harness in
            try await eventually("reports") { harness.orchestrator.reports.count > 3 }
        }
    }
}
