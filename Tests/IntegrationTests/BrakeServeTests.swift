import ContinuityCore
import Foundation
import Glibc
import Testing

/// The brakes of a real `serve`, by its API and its command line.
@Suite(.serialized) struct BrakeServeTests {
    private func configure(_ fixture: ServeFixture, adding text: String) throws {
        let old = try String(contentsOfFile: fixture.configFile, encoding: .utf8)
        try fixture.folder.write(old + text, to: "serve.yaml")
    }

    private func cluster(_ fixture: ServeFixture) async throws -> JSONValue? {
        try await fixture.send("GET", "status").json["clusters"]?.array?.first
    }

    private func healthy(_ fixture: ServeFixture, _ primary: String) async throws {
        _ = try await eventually("\(primary) is the primary of a healthy cluster") {
            let cluster = try await cluster(fixture)
            return cluster?["primary_node_id"]?.string == primary
                && cluster?["state"]?.string == "HEALTHY" && cluster?["run"] == nil ? true : nil
        }
    }

    private func held(_ fixture: ServeFixture, by rule: String) async throws {
        _ = try await eventually("\(rule) holds") {
            let hold = try await cluster(fixture)?["holds"]?.array?.first
            return hold?["rule"]?.string == rule ? true : nil
        }
    }

    @Test func theFleetWideBrakeLatchesAndIsClearedByHand() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\ncooldown_s: 0\n")
        try configure(fixture, adding: "brake: {max_failovers: 1, window_s: 3600}\n")
        try await fixture.start()
        let agents = PlayedAgents(fixture)
        try await agents.live {
            try await healthy(fixture, "node-1")
            let open = try await Programs.run(["brake", "show"] + fixture.access)
            #expect(open.output.contains("brake open: 0 of 1"), "\(open.output)\(open.errors)")
            let clear = ["brake", "clear", "--reason", "the rack is mended"] + fixture.access
            let early = try await Programs.run(clear)
            #expect(early.exitCode == 3)
            #expect(early.errors.contains("brake-not-latched"), "\(early.errors)")
            let bad = try await fixture.send("POST", "brake/clear", body: Array("{}".utf8))
            #expect(bad.status == 400)

            agents.set("node-1", .stopped)
            try await healthy(fixture, "node-2")
            agents.set("node-2", .stopped)
            try await held(fixture, by: "fleet_brake")
            fixture.kill()
            try await fixture.start()
            try await held(fixture, by: "fleet_brake")
            let status = try await Programs.run(["status"] + fixture.access)
            #expect(status.output.contains("BRAKE latched at"), "\(status.output)")
            #expect(status.output.contains("HOLD fleet_brake"), "\(status.output)")
            let json = try await Programs.run(["brake", "show", "--json"] + fixture.access)
            #expect(json.output.contains(#""latch":{"at_ms":"#), "\(json.output)")

            let cleared = try await Programs.run(clear)
            #expect(cleared.exitCode == 0, "\(cleared.errors)")
            #expect(cleared.output.contains("the brake is cleared"), "\(cleared.output)")
            try await healthy(fixture, "node-1")
        }
        let kinds = try await fixture.entries().compactMap { $0["kind"]?.string }
        #expect(kinds.count { $0 == "brake_latched" } == 1)
        #expect(kinds.count { $0 == "brake_cleared" } == 1)
    }

    @Test func aWrongBrakeIsOneClearLine() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\n")
        try configure(fixture, adding: "brake: {max_failovers: 0}\n")
        let result = try await Programs.run("serve", "--config", fixture.configFile)
        #expect(result.exitCode == 65)
        #expect(result.errors.contains("'brake.max_failovers' must be from 1"), "\(result.errors)")
        #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    }
}
