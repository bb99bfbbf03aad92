import ContinuityCore
import ContinuityHTTP
import ContinuityPostgres
import Foundation
import Testing

@testable import ContinuityDemo

extension RealProcesses {
    /// An agent that was killed and started again still knows the highest epoch and what it has done.
    struct EpochTests {
        @Test func aRestartedAgentRefusesALowerEpochAndRemembersResults() async throws {
            try await Bench.run(.lan) { bench in
                let member = try await bench.secondary()
                // Another `serve` means another epoch.
                try await bench.killServe()
                await bench.startServe()
                try await bench.healthy()
                let epoch = try #require(try await bench.highestEpoch(of: member))
                #expect(epoch >= 2)
                let first = try await bench.order(.prepare, key: "a-key", epoch: epoch, on: member)
                #expect(first.outcome == .failed || first.outcome == .succeeded)

                try await bench.killAgent(member.id)
                await bench.startAgent(member.id)
                try await bench.answers(member)
                try await bench.healthy()
                let known = try await bench.highestEpoch(of: member)
                #expect(known == epoch)
                let again = try await bench.order(.prepare, key: "a-key", epoch: epoch, on: member)
                #expect(again == first, "the same key is not carried out twice")
                let stale = try await bench.order(
                    .fence, key: "b-key", epoch: epoch - 1, on: member)
                #expect(stale.outcome == .refused)
                #expect(stale.detail.contains("stale"))
                #expect(!member.postgres.processes.living().isEmpty)
            }
        }
    }
}

extension Bench {
    func highestEpoch(of member: DemoLayout.Member) async throws -> Int64? {
        try await health(member)["highest_epoch"]?.int
    }

    func order(
        _ name: AgentCommand.Name, key: OperationKey, epoch: Int64, on member: DemoLayout.Member
    ) async throws -> CommandResult {
        let command = AgentCommand(
            key: key, clusterID: ClusterID(DemoLayout.clusterID), nodeID: NodeID(member.id),
            epoch: epoch, instanceID: try await health(member)["instance_id"]?.string, name: name,
            timeoutMs: 10_000)
        var request = HTTPRequest(
            method: "POST", url: "\(member.agentURL)/v1/commands",
            headers: ["Content-Type": "application/json"],
            body: try CanonicalJSON.bytes(encoding: command), timeout: .seconds(15))
        request.credentials = layout.pki.credentials("serve")
        let response = try await http.send(request)
        return try JSONDecoder().decode(CommandResult.self, from: Data(response.body))
    }
}
