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

    @Test func aPauseHoldsRefusesAndEnds() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\ncooldown_s: 0\n")
        try await fixture.start()
        let agents = PlayedAgents(fixture)
        try await agents.live {
            try await healthy(fixture, "node-1")
            func pause(_ span: String) async throws -> Programs.Result {
                try await Programs.run(
                    [
                        "pause", "--cluster", "demo", "--for", span, "--owner", "netops",
                        "--reason", "network works",
                    ] + fixture.access)
            }
            #expect(try await pause("soon").exitCode == 64)
            let long = try await pause("8d")
            #expect(long.exitCode == 65)
            let wish = "'duration_s' must be a whole number from 1 to 604800"
            #expect(long.errors.contains(wish), "\(long.errors)")
            let paused = try await pause("1h")
            #expect(paused.output.contains("demo is paused"), "\(paused.output)\(paused.errors)")
            let before = agents.leases("node-1")
            _ = try await eventually("leases are renewed") {
                agents.leases("node-1") > before + 3 ? true : nil
            }
            agents.set("node-1", .stopped)
            try await held(fixture, by: "paused")
            fixture.kill()
            try await fixture.start()
            try await held(fixture, by: "paused")
            let status = try await Programs.run(["status"] + fixture.access)
            #expect(status.output.contains("PAUSED by netops until"), "\(status.output)")
            let move = try await Programs.run(
                ["failover", "--cluster", "demo", "--reason", "x"] + fixture.access)
            #expect(move.exitCode == 3)
            #expect(move.errors.contains("paused: paused by netops"), "\(move.errors)")
            #expect(move.errors.contains("'continuity resume' comes first"), "\(move.errors)")
            let resume = ["resume", "--cluster", "demo", "--reason", "done"] + fixture.access
            #expect(try await Programs.run(resume).exitCode == 0)
            #expect(try await Programs.run(resume).exitCode == 3)
            try await healthy(fixture, "node-2")

            // It ends by itself, too.
            #expect(try await pause("1s").exitCode == 0)
            _ = try await eventually("the pause expires") {
                try await fixture.entries().contains {
                    $0["kind"]?.string == "pause_ended" && $0["body"]?["end"]?.string == "expired"
                } ? true : nil
            }
        }
    }

    @Test func maintenanceIsShownAndKeepsANodeFromBeingTheTarget() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\ncooldown_s: 0\n")
        try await fixture.start()
        let agents = PlayedAgents(fixture)
        try await agents.live {
            try await healthy(fixture, "node-1")
            let start = try await Programs.run(
                [
                    "maintenance", "start", "--cluster", "demo", "--node", "node-2", "--for", "1h",
                    "--reason", "new disk",
                ] + fixture.access)
            #expect(start.output.contains("node-2 is in maintenance"), "\(start.errors)")
            let nobody = try await Programs.run(
                [
                    "maintenance", "start", "--cluster", "demo", "--node", "node-9", "--for", "1h",
                    "--reason", "x",
                ] + fixture.access)
            #expect(nobody.exitCode == 1)
            #expect(nobody.errors.contains("no-such-node"), "\(nobody.errors)")
            let status = try await Programs.run(["status"] + fixture.access)
            #expect(status.output.contains("MAINTENANCE of node-2 by"), "\(status.output)")
            agents.set("node-1", .stopped)
            try await healthy(fixture, "node-3")
            let end = [
                "maintenance", "end", "--cluster", "demo", "--node", "node-2", "--reason", "in",
            ]
            #expect(try await Programs.run(end + fixture.access).exitCode == 0)
            #expect(try await Programs.run(end + fixture.access).exitCode == 3)
        }
    }

    @Test func aMoveIsArrangedListedCancelledAndBegunWhenItIsDue() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\nstrategy: scheduled\ncooldown_s: 0\n")
        try await fixture.start()
        let agents = PlayedAgents(fixture)
        try await agents.live {
            try await healthy(fixture, "node-1")
            func arrange(_ at: String) async throws -> Programs.Result {
                try await Programs.run(
                    [
                        "switchover", "--cluster", "demo", "--target", "node-3", "--at", at,
                        "--window", "1m", "--reason", "kernel update",
                    ] + fixture.access)
            }
            func inMs(_ ms: Double) -> String {
                Date(timeIntervalSinceNow: ms / 1000).formatted(
                    Date.ISO8601FormatStyle(includingFractionalSeconds: true))
            }
            #expect(try await arrange("tomorrow").exitCode == 65)
            #expect(try await arrange("2001-01-01T00:00:00Z").exitCode == 65)
            let far = try await arrange(inMs(3_600_000))
            #expect(far.exitCode == 0, "\(far.errors)")
            #expect(try await arrange(inMs(7_200_000)).exitCode == 3)
            let list = try await Programs.run(["schedule", "list"] + fixture.access)
            #expect(list.output.contains("kernel update"), "\(list.output)\(list.errors)")
            let status = try await Programs.run(["status"] + fixture.access)
            #expect(status.output.contains("ARRANGED switchover from node-1 to node-3"))
            let cancel =
                ["schedule", "cancel", "--cluster", "demo", "--reason", "sooner"] + fixture.access
            #expect(try await Programs.run(cancel).exitCode == 0)
            #expect(try await Programs.run(cancel).exitCode == 3)

            let near = try await arrange(inMs(2_500))
            #expect(near.exitCode == 0, "\(near.errors)")
            fixture.kill()
            try await fixture.start()
            try await healthy(fixture, "node-3")
        }
        let ended = try await fixture.entries().filter { $0["kind"]?.string == "schedule_ended" }
        #expect(ended.map { $0["body"]?["end"]?.string } == ["cancelled", "started"])
    }

    @Test func anActiveActiveClusterShiftsItsWeightsAndTakesThemBackInSteps() async throws {
        let fixture = try ServeFixture(
            policy: """
                policy_id: p
                detection: {profile: lan}
                weights: {return_step_permille: 500, return_interval_s: 1}

                """, topology: "active_active")
        try await fixture.start()
        let agents = PlayedAgents(
            fixture, roles: ["node-1": .primary, "node-2": .primary, "node-3": .primary])
        func weights(_ wanted: [Int64]) async throws {
            _ = try await eventually("the weights are \(wanted)") {
                let nodes = try await cluster(fixture)?["nodes"]?.array ?? []
                return nodes.map { $0["weight"]?.int } == wanted ? true : nil
            }
        }
        try await agents.live {
            try await healthy(fixture, "node-1")
            try await weights([100, 100, 100])
            agents.refuses(.restart, true)
            agents.set("node-2", .stopped)
            try await weights([150, 0, 150])
            fixture.kill()
            try await fixture.start()
            try await weights([150, 0, 150])
            let status = try await Programs.run(["status"] + fixture.access)
            #expect(
                status.output.contains("WEIGHTS node-1 150, node-2 0, node-3 150"),
                "\(status.output)")
            let refused = try await Programs.run(
                ["failover", "--cluster", "demo", "--reason", "x"] + fixture.access)
            #expect(refused.exitCode == 3)
            agents.refuses(.restart, false)
            try await weights([125, 50, 125])
            try await weights([100, 100, 100])
        }
        #expect(Set(agents.orders.map(\.name)).isSubset(of: [.status, .restart]))
    }

    @Test func aPlanOfWeightsNeedsNoServer() async throws {
        let folder = try TemporaryFolder()
        let cluster = try folder.write(
            """
            cluster_id: demo
            topology: active_active
            nodes:
              - {node_id: a1, role: primary, weight: 100, status: failed}
              - {node_id: a2, role: primary, weight: 100, capacity: 60}
              - {node_id: b1, role: primary, weight: 100}

            """, to: "cluster.yaml")
        let policy = try folder.write("policy_id: p\n", to: "policy.yaml")
        for ending in ["yaml", "json"] {
            let first = folder.path + "/first." + ending
            let second = folder.path + "/second." + ending
            let made = try await Programs.run(
                "plan", "--cluster", cluster, "--policy", policy, "--output", first)
            #expect(made.exitCode == 0, "\(made.errors)")
            let read = try await Programs.run("plan", "--read", first, "--output", second)
            #expect(read.exitCode == 0, "\(read.errors)")
            let bytes = try Data(contentsOf: URL(fileURLWithPath: first))
            #expect(try Data(contentsOf: URL(fileURLWithPath: second)) == bytes)
            #expect(String(decoding: bytes, as: UTF8.self).contains("rebalance"))
        }
        try folder.write("policy_id: p\nweights: {on_capacity_exceeded: hold}\n", to: "policy.yaml")
        let tight = try String(contentsOfFile: cluster, encoding: .utf8)
            .replacing("role: primary, weight: 100}", with: "role: primary, capacity: 60}")
            .replacing("capacity: 60", with: "capacity: 40")
        try folder.write(tight, to: "cluster.yaml")
        let held = try await Programs.run("plan", "--cluster", cluster, "--policy", policy)
        #expect(held.exitCode == 3)
        #expect(held.errors.contains("capacity_exceeded: 200 ‰"), "\(held.errors)")
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
