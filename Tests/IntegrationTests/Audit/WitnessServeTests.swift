import ContinuityCore
import Foundation
import Testing

/// A real `serve` hears from an agent that witnessed another journal.
@Suite(.serialized) struct WitnessServeTests {
    private func report(
        _ fixture: AuditFixture, node: Int, _ witness: WitnessState, sequence: Int64 = 1000
    ) async throws -> JSONValue {
        let report = NodeReport(
            clusterID: "demo", nodeID: NodeID("node-\(node)"), bootID: "test",
            sequence: sequence,
            highestEpoch: 0, service: ServiceReport(state: .running, role: .secondary),
            peers: [:], witness: witness)
        return try await fixture.serve.send(
            "POST", "agent/report", body: CanonicalJSON.bytes(encoding: report)
        ).json
    }

    @Test func aForkAndARewindAreJournaledAndAlerted() async throws {
        let fixture = try await AuditFixture()
        let receiver = try AlertReceiver(
            port: fixture.serve.alertPort, secret: ServeFixture.secret)
        let receiving = Task { try await receiver.run() }
        defer { receiving.cancel() }
        try await fixture.serve.start()
        try await fixture.decide(4)
        let entries = try await fixture.serve.entries()
        let hash = try #require(entries[2]["hash"]?.string)

        // What it shows to agents: the newest checkpoint, and the links that lead there.
        let answer = try await report(fixture, node: 2, WitnessState(seq: 3, hash: hash))
        #expect((answer["checkpoint"]?["seq"]?.int ?? 0) > 3)
        let links = try await fixture.serve.send("GET", "agent/links?after=3&limit=2").json
        #expect(links["links"]?.array?.map { $0["seq"]?.int } == [4, 5])
        #expect(links["links"]?.array?.first?["body"] == nil)

        let wrong = String(repeating: "ab", count: 32)
        for sequence in Int64(1001)...1003 {
            _ = try await report(
                fixture, node: 2, WitnessState(seq: 3, hash: wrong), sequence: sequence)
        }
        _ = try await report(fixture, node: 3, WitnessState(seq: 9999, hash: wrong))
        // Who is no node of ours is no witness.
        let stranger = try await report(fixture, node: 9, WitnessState(seq: 9999, hash: wrong))
        #expect(stranger["type"]?.string == "urn:continuity:problem:no-such-node")
        let far = try await report(fixture, node: 2, WitnessState(seq: .min, hash: wrong))
        #expect(far["detail"]?.string?.contains("witness.seq") == true, "\(far)")
        let found = try await eventually("both are journaled") {
            let alarms = try await fixture.serve.entries()
                .filter { $0["kind"]?.string == "witness_alarmed" }
            return alarms.count >= 2 ? alarms : nil
        }
        // Each once, however often it is reported.
        #expect(found.count == 2)
        #expect(found[0]["body"]?["finding"]?.string?.hasPrefix("fork") == true)
        #expect(found[1]["body"]?["finding"]?.string?.hasPrefix("rewind") == true)
        let alerts = try await fixture.serve.entries().compactMap { $0["body"]?["alert"] }
            .filter { $0["type"]?.string == "continuity.audit.alarm" }
        #expect(alerts.map { $0["severity"]?.string } == ["critical", "critical"])
        _ = try await eventually("both are received") {
            receiver.accepted.filter { $0.body.contains("continuity.audit.alarm") }.count == 2
                ? true : nil
        }
        let status = try await Programs.run(
            "status", "--server", "http://127.0.0.1:\(fixture.serve.port)", "--token-file",
            fixture.folder + "/token")
        #expect(status.output.contains("AUDIT ALARM of node-3: rewind"), "\(status.output)")
        #expect(fixture.serve.log.contains("a witness contradicts the journal"))
    }
}
