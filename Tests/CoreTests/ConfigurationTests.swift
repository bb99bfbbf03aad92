import ContinuityConfig
import ContinuityCore
import Testing

@Suite struct ConfigurationTests {
    static let cluster = """
        cluster_id: demo
        nodes:
          - {node_id: a, role: primary, region: r1}
          - {node_id: b, role: secondary, region: r1}
          - {node_id: c, role: witness, region: r2}
        """

    private func clusterError(_ text: String) -> ConfigError? {
        do {
            _ = try ClusterFile.read(ConfigReader.parse(text: text, file: "c.yaml"))
            return nil
        } catch {
            return error
        }
    }

    private func policyError(_ text: String) throws -> ConfigError? {
        let cluster = try ClusterFile.read(ConfigReader.parse(text: Self.cluster, file: "c.yaml"))
        do {
            _ = try PolicyFile.read(ConfigReader.parse(text: text, file: "p.yaml"), for: cluster)
            return nil
        } catch {
            return error
        }
    }

    @Test func readsYAMLAndJSON() throws {
        #expect(clusterError(Self.cluster) == nil)
        let json = #"{"cluster_id": "x", "nodes": [{"node_id": "a", "role": "primary"}]}"#
        let cluster = try ClusterFile.read(ConfigReader.parse(text: json, file: "c.json"))
        #expect(cluster.quorumSize == 1)
        #expect(cluster.nodes[0].priority == 100)
    }

    /// The predecessor had floats where whole numbers stand now.
    @Test(arguments: [("100.0", 100), ("95.00", 95), ("9.5e1", 95), ("1E2", 100), ("0.0", 0)])
    func wholeDecimalsAreWholeNumbers(_ text: String, _ value: Int64) throws {
        let file = Self.cluster.replacing("region: r1", with: "region: r1, capacity: \(text)")
        let cluster = try ClusterFile.read(ConfigReader.parse(text: file, file: "c.yaml"))
        #expect(cluster.nodes[0].capacity == value)
    }

    @Test(arguments: ["92.5", "1e-3"])
    func fractionsAreRefusedWithARemedy(_ text: String) throws {
        let file = Self.cluster.replacing("region: r1", with: "region: r1, capacity: \(text)")
        let error = try #require(clusterError(file))
        #expect(error.message.contains("capacity") && error.remedy.contains("whole"), "\(error)")
    }

    /// Issue 15, 25: a number that is too large was called a fraction.
    @Test(arguments: ["1e20", "100000000000000000000", "-1e20", "9223372036854775808"])
    func whatIsTooLargeIsNoFraction(_ text: String) throws {
        let file = Self.cluster.replacing("region: r1", with: "region: r1, capacity: \(text)")
        let error = try #require(clusterError(file))
        #expect(!"\(error)".contains("fraction"), "\(error)")
        #expect(error.message.contains(text) && error.message.contains("from 0 to 100"))
        #expect(error.line != nil)
        let metadata = try ConfigReader.parse(text: "{m: {n: \(text)}}", file: "c.yaml")
        #expect {
            _ = try metadata.json("m")
        } throws: {
            "\($0)".contains("beyond 64 bits") && !"\($0)".contains("fraction")
        }
    }

    @Test func aPlanOfThePredecessorIsKnownAsOne() throws {
        let text = """
            plan_id: 0c9d
            cluster_id: demo
            created_at: 2024-01-01T00:00:00Z
            actions: [{action_id: a1, action_type: demote, target_node_id: a, params: {}}]
            """
        #expect {
            _ = try PlanFile.read(
                ConfigReader.parse(text: text, file: "plan.yaml"),
                digest: ContentDigest { _ in [] })
        } throws: {
            "\($0)".contains("plan of the predecessor") && "\($0)".contains("continuity plan")
        }
    }

    @Test(arguments: [
        ("node_id: a, role", "node_idd: a, role", 3, "'nodes[0].node_id' is missing"),
        ("role: secondary", "role: secundary", 4, "'nodes[1].role' is 'secundary'"),
        ("role: secondary", "role: primary", 4, "second primary"),
        ("node_id: b", "node_id: a", 4, "stands more than once"),
        ("cluster_id: demo", "cluster_id: demo\nquorum_size: 1", 2, "below the majority"),
        ("cluster_id: demo", "cluster_id: demo\nquorum_size: many", 2, "must be a whole number"),
        ("cluster_id: demo", "cluster_id: demo\nfoo: 1", 2, "unknown field 'foo'"),
        ("cluster_id: demo", "cluster_id: demo\ncluster_id: x", 1, "more than once"),
        ("role: witness", "role: witness, priority: 5000", 5, "from 0 to 1000"),
        ("cluster_id: demo", "cluster_id: [", 2, ""),
    ])
    func mistakesAreNamedWithTheirLine(
        _ from: String, _ to: String, _ line: Int, _ message: String
    ) throws {
        let error = try #require(clusterError(Self.cluster.replacing(from, with: to)))
        #expect(error.file == "c.yaml")
        #expect(!error.remedy.isEmpty)
        #expect(message.isEmpty || error.message.contains(message), "\(error)")
        // The parser notices these two only at the next line.
        let tolerance = message.isEmpty || message == "more than once" ? 1 : 0
        #expect(abs((error.line ?? 0) - line) <= tolerance, "\(error)")
    }

    @Test(arguments: [
        ("strategy: sometimes", "one of: automatic"),
        ("require_quorum: 1", "true or false"),
        ("max_failover_time_s: 0", "from 1 to"),
        ("detection: {profile: wan}", "one of: lan, standard, relaxed"),
        ("lease: {duration_ms: 1500}", "at least 2000 ms"),
        ("cluster_id: other", "for the cluster 'other'"),
        ("freeze_windows: [{from: now, until: later, reason: x}]", "RFC 3339"),
        ("hooks: [{stage: admit, pack: x, on_failure: shrug}]", "one of: abort"),
        ("hooks: [{stage: admit, pack: x, config: {a: 0.5}}]", "whole numbers"),
        ("slo_guard: {}", "'slo_guard.budget_s' is missing"),
        ("slo_guard: {budget_s: 60, window_s: 60}", "not less than its window"),
        ("switchover: {demote_timeout_ms: 60000}", "not less than max_failover_time_s (60 s)"),
        ("switchover: {on_demote_timeout: wait}", "one of: return, fence"),
        ("switchover: {on_hindrance: hope}", "one of: refuse, continue"),
        ("switchover: {timeout_ms: 1}", "unknown field 'switchover.timeout_ms'"),
        ("flap: {cooldown_max_s: 30}", "make it at least 60"),
        ("weights: {on_capacity_exceeded: pray}", "one of: shed, hold"),
        ("weights: {return_step_permille: 0}", "from 1 to 1000"),
        ("flap: {window: 30}", "unknown field 'flap.window'"),
    ])
    func policyMistakesSayWhatToDo(_ line: String, _ part: String) throws {
        let error = try #require(try policyError("policy_id: p\n" + line))
        #expect("\(error)".contains(part), "\(error)")
        #expect(error.line == 2, "\(error)")
    }

    @Test func profilesBringTheirLease() throws {
        let cluster = try ClusterFile.read(ConfigReader.parse(text: Self.cluster, file: "c.yaml"))
        let policy = try PolicyFile.read(
            ConfigReader.parse(text: "policy_id: p\ndetection: {profile: lan}", file: "p.yaml"),
            for: cluster)
        #expect(policy.detection == .lan)
        #expect(policy.lease == LeaseSettings(durationMs: 1000, marginMs: 100))
    }
}
