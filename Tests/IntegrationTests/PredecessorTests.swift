import ContinuityAPI
import ContinuityCore
import Foundation
import Glibc
import Testing

/// What the predecessor's users send, sent to a real server.
@Suite(.serialized) struct PredecessorTests {
    static let policyFile = """
        policy_id: p
        strategy: automatic
        max_failover_time_s: 30
        cooldown_s: 0
        approvals: {failover: 0, switchover: 0}

        """

    /// As its users have it: decimals, names, metadata.
    static let cluster: JSONValue = [
        "cluster_id": "demo", "name": "Demo", "regions": ["eu"], "metadata": ["team": "db"],
        "nodes": .array(
            (1...3).map { number in
                [
                    "node_id": .string("node-\(number)"), "hostname": "db.example",
                    "role": number == 1 ? "primary" : "secondary", "region": "eu", "site": "a",
                    "status": "healthy", "priority": 100, "capacity": 100, "metadata": [:],
                ]
            }),
    ]
    static let policy: JSONValue = [
        "policy_id": "p", "name": "P", "strategy": "automatic", "max_failover_time_s": 30,
        "require_quorum": true, "region_priority": ["eu"], "site_priority": [],
        "min_healthy_nodes": 1, "metadata": [:],
    ]

    /// The body as it goes over the wire, with the predecessor's floats.
    static func wire(_ body: JSONValue) -> [UInt8] {
        let text = String(decoding: CanonicalJSON.bytes(body), as: UTF8.self)
        return Array(text.replacing(#""capacity":100"#, with: #""capacity":100.0"#).utf8)
    }

    private func played(
        policy: String = policyFile, _ body: (ServeFixture, PlayedAgents) async throws -> Void
    ) async throws {
        let fixture = try ServeFixture(policy: policy)
        try await fixture.start()
        let agents = PlayedAgents(fixture)
        try await agents.live {
            _ = try await eventually("the cluster is healthy") {
                let status = try await fixture.send("GET", "status")
                return status.json["clusters"]?.array?.first?["state"]?.string == "HEALTHY"
                    ? true : nil
            }
            try await body(fixture, agents)
        }
        #expect(fixture.terminate() == 0)
    }

    /// Every answer is what the interface's description says, and says no more than that.
    private func described(
        _ operation: APIOperation, _ answer: (status: Int, json: JSONValue, type: String?)
    ) throws -> JSONValue {
        let schema = operation.description.answers.first { $0.status == answer.status }?.schema
        #expect(throws: Never.self, "\(operation): \(answer.json)") {
            try schema?.check(JSONTree(answer.json))
        }
        try #require(schema != nil, "\(answer.status): \(answer.json)")
        return answer.json
    }

    private func plan(
        _ fixture: ServeFixture, kind: String? = nil, cluster: JSONValue = cluster
    ) async throws -> JSONValue {
        var body: [String: JSONValue] = ["cluster": cluster, "policy": Self.policy]
        if let kind { body["kind"] = .string(kind) }
        let answer = try await fixture.send("POST", "plan", body: Self.wire(.object(body)))
        try #require(answer.status == 200, "\(answer.json)")
        return try described(.plan, answer)
    }

    // MARK: From a plan to a run

    @Test func aPlanIsCarriedOutAndProven() async throws {
        try await played { fixture, agents in
            let seq = try await fixture.entries().count
            let planned = try await plan(fixture)
            #expect(planned["action_count"]?.int == 5)
            #expect(planned["primary_node_id"]?.string == "node-1")
            #expect(planned["failover_target_id"]?.string == "node-2")
            #expect(planned["timings_ms"]?["planning"]?.int != nil)
            #expect(planned["plan"]?["trigger_reason"]?.string == "manual")
            #expect(try await fixture.entries().count == seq, "planning changes nothing")
            let id = try #require(planned["request_id"]?.string)
            #expect(fixture.log.contains(id))

            let request: JSONValue = ["plan": planned["plan"] ?? .null, "requested_by": "ana"]
            let done = try await fixture.send(
                "POST", "execute", body: CanonicalJSON.bytes(request))
            try #require(done.status == 200, "\(done.json)")
            _ = try described(.execute, done)
            #expect(done.json["success"]?.bool == true, "\(done.json)")
            #expect(done.json["actions_executed"]?.int == 5)
            #expect(done.json["actions_failed"]?.int == 0)
            #expect(done.json["plan_id"] == planned["plan_id"])
            let run = try #require(done.json["execution_id"]?.string)
            #expect(done.json["audit_id"]?.string == run)
            let entries = try await fixture.entries()
            let ended = try #require(entries.first { $0["kind"]?.string == "run_finished" })
            #expect(ended["body"]?["run_id"]?.string == run)
            #expect(ended["body"]?["duration_ms"] == done.json["total_duration_ms"])
            let verified = try #require(entries.first { $0["kind"]?.string == "run_verified" })
            #expect(
                verified["body"]?["verification"]?["confidence"]
                    == done.json["confidence"]?["score"])
            #expect(agents.orders.contains { $0.name == .promote && $0.nodeID == "node-2" })

            let audit = try await fixture.send("GET", "audit?audit_id=\(run)")
            #expect(audit.status == 200, "\(audit.json)")
            _ = try described(.auditList, audit)
            #expect(audit.json["execution"]?["requested_by"]?.string == "ana")
            #expect(audit.json["execution"]?["total_duration_ms"] == ended["body"]?["duration_ms"])
            #expect(audit.json["verification"]?["passed"]?.bool == true)
            #expect(audit.json["confidence"] == done.json["confidence"])
            for (id, status) in [
                ("run-0000000000000000", 404), ("x", 400), ("%00", 400), ("", 400),
            ] {
                let unknown = try await fixture.send("GET", "audit?audit_id=\(id)")
                #expect(unknown.status == status, "\(id): \(unknown.json)")
            }

            // The primary is another one now: the plan is void, and says in what.
            let again = try await fixture.send(
                "POST", "execute", body: CanonicalJSON.bytes(request))
            #expect(again.status == 409)
            #expect(
                again.json["type"]?.string == "urn:continuity:problem:plan-changed",
                "\(again.json)")
            #expect(again.json["detail"]?.string?.contains("primary_node_id would be") == true)
        }
    }

    @Test func aDryRunIsADrill() async throws {
        try await played { fixture, agents in
            let planned = try await plan(fixture)
            let done = try await fixture.send(
                "POST", "execute",
                body: CanonicalJSON.bytes(["plan": planned["plan"] ?? .null, "dry_run": true]))
            try #require(done.status == 200, "\(done.json)")
            _ = try described(.execute, done)
            #expect(done.json["success"]?.bool == true, "\(done.json)")
            #expect(done.json["dry_run"]?.bool == true && done.json["audit_id"] == .null)
            #expect(done.json["actions_executed"]?.int == 5)
            #expect(!agents.orders.contains { $0.name == .promote })
            let kinds = try await fixture.entries().compactMap { $0["kind"]?.string }
            #expect(kinds.contains("drill_finished") && !kinds.contains("run_requested"))
        }
    }

    @Test func approvalsAreAsked() async throws {
        let policy = Self.policyFile.replacing("failover: 0", with: "failover: 1")
        try await played(policy: policy) { fixture, agents in
            let planned = try await plan(fixture)
            let asked = try await fixture.send(
                "POST", "execute",
                body: CanonicalJSON.bytes([
                    "plan": planned["plan"] ?? .null, "requested_by": "ana", "reason": "patching",
                ]))
            #expect(asked.status == 202, "\(asked.json)")
            _ = try described(.execute, asked)
            #expect(asked.json["status"]?.string == "awaiting_approval")
            #expect(asked.json["success"] == nil && asked.json["execution_id"] == nil)
            let approval = try #require(asked.json["approval_id"]?.string)
            let refused = try await fixture.send(
                "POST", "approvals/\(approval)/approve",
                body: CanonicalJSON.bytes([
                    "cluster_id": "demo", "reason": "me", "requested_by": "ana",
                ]))
            #expect(refused.status == 409, "separation of duties: \(refused.json)")
            let given = try await fixture.send(
                "POST", "approvals/\(approval)/approve",
                body: CanonicalJSON.bytes([
                    "cluster_id": "demo", "reason": "looks right", "requested_by": "ben",
                ]))
            #expect(given.status == 202, "\(given.json)")
            _ = try await eventually("the approved run ends") {
                try await fixture.entries().contains { $0["kind"]?.string == "run_finished" }
                    ? true : nil
            }
            #expect(agents.orders.contains { $0.name == .promote })
        }
    }

    @Test func whoDoesNotWaitLosesNothing() async throws {
        try await played { fixture, _ in
            let planned = try await plan(fixture, kind: "switchover")
            let begun = try await fixture.send(
                "POST", "execute",
                body: CanonicalJSON.bytes(["plan": planned["plan"] ?? .null, "wait_s": 0]))
            #expect(begun.status == 202, "\(begun.json)")
            _ = try described(.execute, begun)
            #expect(begun.json["status"]?.string == "running" && begun.json["success"] == nil)
            let run = try #require(begun.json["execution_id"]?.string)
            _ = try await eventually("the run ends") {
                let audit = try await fixture.send("GET", "audit?audit_id=\(run)")
                return audit.json["execution"]?["success"]?.bool == true ? true : nil
            }
        }
    }

    @Test func whoHangsUpLosesNothing() async throws {
        try await played { fixture, agents in
            let planned = try await plan(fixture)
            let body = fixture.folder.path + "/body.json"
            try fixture.folder.write(
                String(
                    decoding: CanonicalJSON.bytes(["plan": planned["plan"] ?? .null]),
                    as: UTF8.self), to: "body.json")
            // The real curl, which gives up while the promotion is under way.
            agents.delays(.promote, true)
            let curl = try await Tool.curl([
                "--max-time", "0.5", "--header", "Authorization: Bearer \(ServeFixture.token)",
                "--header",
                "Continuity-Timestamp: \(Int64(Date().timeIntervalSince1970 * 1000))",
                "--header", "Continuity-Nonce: \(UUID().uuidString)", "--data", "@\(body)",
                "http://127.0.0.1:\(fixture.port)/api/v1/continuity/execute",
            ])
            #expect(curl.exitCode == 28, "it gave up: \(curl.output)")
            agents.delays(.promote, false)
            let run = try await eventually("the run ends") {
                try await fixture.entries().first { $0["kind"]?.string == "run_finished" }
            }
            let id = run["body"]?["run_id"]?.string ?? ""
            let audit = try await fixture.send("GET", "audit?audit_id=\(id)")
            #expect(audit.json["execution"]?["success"]?.bool == true, "\(audit.json)")
        }
    }

    @Test func aRunThatFailsSaysSo() async throws {
        try await played { fixture, agents in
            agents.refuses(.promote, true)
            let planned = try await plan(fixture)
            let done = try await fixture.send(
                "POST", "execute",
                body: CanonicalJSON.bytes(["plan": planned["plan"] ?? .null]))
            try #require(done.status == 200, "\(done.json)")
            let json = try described(.execute, done)
            #expect(json["success"]?.bool == false && json["status"]?.string == "failed")
            #expect(json["actions_executed"]?.int == 1 && json["actions_failed"]?.int == 1)
            #expect(json["reason"]?.string?.contains("node-2 was not promoted") == true)
            #expect(json["confidence"] == .null, "nothing was verified: \(json)")
            agents.refuses(.promote, false)
        }
    }

    // MARK: Looking

    @Test func statusSaysWhereItIsFrom() async throws {
        try await played { fixture, agents in
            agents.set("node-3", .stopped)
            _ = try await eventually("node-3 is seen failed") {
                let answer = try await fixture.send(
                    "POST", "status", body: Self.wire(["cluster": Self.cluster]))
                #expect(answer.json["source"]?.string == "observed", "\(answer.json)")
                return answer.json["healthy_nodes"]?.int == 2 ? true : nil
            }
            var other = Self.cluster.object ?? [:]
            other["cluster_id"] = "elsewhere"
            var nodes = other["nodes"]?.array ?? []
            for index in [0, 1] {
                var node = nodes[index].object ?? [:]
                node["status"] = "failed"
                nodes[index] = .object(node)
            }
            other["nodes"] = .array(nodes)
            let answer = try await fixture.send(
                "POST", "status", body: Self.wire(["cluster": .object(other)]))
            #expect(answer.json["source"]?.string == "described", "\(answer.json)")
            _ = try described(.statusOfBody, answer)
            #expect(answer.json["total_nodes"]?.int == 3)
            #expect(answer.json["healthy_nodes"]?.int == 1)
            #expect(answer.json["quorum_size"]?.int == 2)
            #expect(answer.json["has_quorum"]?.bool == false)
            #expect(answer.json["primary_node_id"]?.string == "node-1")
        }
    }

    @Test func theSameSeedGivesTheSameReport() async throws {
        let fixture = try ServeFixture(policy: Self.policyFile)
        try await fixture.start()
        func simulate(_ more: [String: JSONValue] = [:]) async throws -> JSONValue {
            let body: [String: JSONValue] = ["cluster": Self.cluster, "policy": Self.policy]
            let answer = try await fixture.send(
                "POST", "simulate", body: Self.wire(.object(body.merging(more) { $1 })))
            try #require(answer.status == 200, "\(answer.json)")
            return try described(.simulate, answer)
        }
        let first = try await simulate()
        #expect(first["scenario"]?.string == "primary_failure")
        #expect(first["success"]?.bool == true, "\(first["verification"] ?? .null)")
        #expect(first["failover"]?["success"]?.bool == true)
        #expect(first["failover"]?["actions_executed"]?.int == 5)
        #expect(first["failover"]?["execution_id"]?.string?.hasPrefix("run-") == true)
        #expect(first["verification"]?["quorum_ok"]?.bool == true)
        #expect(first["report"]?["seed"]?.int == 42)
        #expect(try await simulate()["report"] == first["report"])
        let other = try await simulate(["seed": 43, "scenario": "random_failures"])
        #expect(other["report"] != first["report"])
        #expect(other["verification"]?["report_id"] != first["verification"]?["report_id"])
        // Only one at a time.
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    try await fixture.send(
                        "POST", "simulate",
                        body: Self.wire([
                            "cluster": Self.cluster, "policy": Self.policy,
                            "scenario": "random_failures",
                        ])
                    ).status
                }
            }
            let statuses = try await group.reduce(into: []) { $0.append($1) }
            #expect(statuses.contains(200) && statuses.contains(429), "\(statuses)")
        }
        #expect(fixture.terminate() == 0)
    }

    // MARK: Bad bodies

    @Test func oddBodiesAreTheSendersMistake() async throws {
        let fixture = try ServeFixture(policy: Self.policyFile)
        try await fixture.start()
        func text(_ value: JSONValue) -> String {
            String(decoding: Self.wire(value), as: UTF8.self)
        }
        let good = text(["cluster": Self.cluster, "policy": Self.policy])
        let cases: [(route: String, body: String, named: String)] = [
            ("plan", "", "is missing"), ("plan", "[]", "must be an object"),
            ("plan", "{}", "'cluster' is missing"), ("plan", "{\"a\u{0}\":1}", "control"),
            ("plan", #"{"a\u0000":1}"#, "not known"),
            ("plan", "{\"cluster\":NaN}", "no JSON value"),
            ("plan", String(repeating: "[", count: 100_000), "nested too deeply"),
            ("plan", String(repeating: #"{"a":"#, count: 100_000), "nested too deeply"),
            ("plan", good + " x", "follows"),
            ("plan", good.replacing("100.0", with: "92.5"), "cluster.nodes[0].capacity"),
            ("plan", good.replacing("100.0", with: "1e999"), "cluster.nodes[0].capacity"),
            ("plan", good.replacing("100.0", with: "1e9999999999"), "capacity"),
            ("plan", good.replacing("100.0", with: #""100""#), "must be a whole number"),
            ("plan", good.replacing("node-2", with: "node-1"), "cluster.nodes[1].node_id"),
            ("plan", good.replacing(#""site""#, with: #""sight""#), "sight"),
            (
                "plan", good.replacing(#""cluster_id":"demo""#, with: #""cluster_id":7"#),
                "must be a text"
            ),
            ("plan", good.replacing(#""strategy""#, with: #""strategie""#), "policy.strategie"),
            (
                "plan",
                text(["cluster": ["cluster_id": "x", "nodes": []], "policy": Self.policy]),
                "no nodes"
            ),
            ("execute", "{}", "'plan' is missing"),
            (
                "execute",
                #"{"plan":{"plan_id":"x","cluster_id":"demo","policy_id":"p","created_at":"2024","#
                    + #""actions":[{"action_id":"a","action_type":"demote"}]}}"#,
                "plan of the predecessor"
            ),
            ("status", "{}", "'cluster' is missing"),
            (
                "simulate", good.replacing(#"{"cluster""#, with: #"{"scenario":"x","cluster""#),
                "write one of: primary_failure"
            ),
            ("simulate", good.replacing(#"{"cluster""#, with: #"{"seed":-1,"cluster""#), "'seed'"),
        ]
        for (route, body, named) in cases {
            let answer = try await fixture.send("POST", route, body: Array(body.utf8))
            #expect(
                [400, 422].contains(answer.status), "\(route) \(body.prefix(80)): \(answer.json)")
            #expect(answer.type == "application/problem+json")
            #expect(
                answer.json["detail"]?.string?.contains(named) == true,
                "\(route) \(body.prefix(80)): \(answer.json)")
        }
        // A plan whose content was changed is none.
        let planned = try await plan(fixture)
        var changed = planned["plan"]?.object ?? [:]
        changed["failover_target_id"] = "node-3"
        let forged = try await fixture.send(
            "POST", "execute", body: CanonicalJSON.bytes(["plan": .object(changed)]))
        #expect(forged.status == 422 && "\(forged.json)".contains("does not follow"))
        // One of another cluster, or for another policy, is not carried out.
        var foreign = Self.cluster.object ?? [:]
        foreign["cluster_id"] = "elsewhere"
        let elsewhere = try await plan(fixture, cluster: .object(foreign))
        let unknown = try await fixture.send(
            "POST", "execute", body: CanonicalJSON.bytes(["plan": elsewhere["plan"] ?? .null]))
        #expect(unknown.status == 404, "\(unknown.json)")
        var carried = planned["plan"]?.object ?? [:]
        carried["cluster"] = Self.cluster
        var policy = Self.policy.object ?? [:]
        policy["min_healthy_nodes"] = 2
        carried["policy"] = .object(policy)
        let otherPolicy = try await fixture.send(
            "POST", "execute", body: Self.wire(["plan": .object(carried)]))
        #expect(otherPolicy.status == 409, "\(otherPolicy.json)")
        #expect("\(otherPolicy.json)".contains("min_healthy_nodes is 1 here, not 2"))
        #expect(fixture.terminate() == 0)
    }
}
