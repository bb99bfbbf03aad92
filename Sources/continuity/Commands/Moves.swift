import ArgumentParser
import ContinuityCommandLine
import ContinuityCore
import Foundation

/// What `failover` and `switchover` share.
struct MoveOptions: ParsableArguments {
    static let codes = """
        Returns when the run is admitted; with --wait, when it has ended.

        Exit codes: 0 admitted, or with --wait committed; 1 it failed or was rolled back; 3 a rule \
        or a policy refuses it, or nobody consented; 5 it waits for the consent of others; 75 with \
        --wait: it has not ended yet.
        """

    @Option(help: "The cluster to move.")
    var cluster: String

    @Option(help: "The node to promote; the policy chooses otherwise.")
    var target: String?

    @Option(help: "Why, for the journal.")
    var reason: String

    @Option(help: "Who asks, for the journal.")
    var requestedBy = ProcessInfo.processInfo.userName

    @Flag(help: "Print JSON.")
    var json = false

    @Option(help: "Arrange it for this time (RFC 3339) instead of beginning now.")
    var at: String?

    @Option(help: "With --at: for how long after it the move may still begin, 30m say.")
    var window: Span?

    @Flag(help: "Wait until the run has ended, for the consent of others too.")
    var wait = false

    @Option(help: "With --wait: give up after so long (exit code 75); the run goes on.")
    var waitMax = Span(seconds: 3600)

    @OptionGroup var server: ServerOptions

    func validate() throws {
        guard reason.contains(where: { !$0.isWhitespace }) else {
            throw ValidationError("--reason must say something.")
        }
        guard !(wait && at != nil) else { throw ValidationError("--wait goes without --at.") }
        guard window == nil || at != nil else { throw ValidationError("--window goes with --at.") }
    }

    /// It has begun, or it waits for the consent of others.
    struct Answer: Codable {
        var runID: RunID?
        var planID: PlanID?
        var approvalID: ApprovalID?
        var needed: Int?
        var expiresAtMs: Int64?
        var dataLoss: DataLoss?

        enum CodingKeys: String, CodingKey {
            case runID = "run_id"
            case planID = "plan_id"
            case approvalID = "approval_id"
            case needed
            case expiresAtMs = "expires_at_ms"
            case dataLoss = "data_loss"
        }
    }

    func request(_ route: String, acceptsDataLoss: Bool = false) async throws {
        var body: [String: JSONValue] = [
            "cluster_id": .string(cluster), "reason": .string(reason),
            "requested_by": .string(requestedBy),
        ]
        if let target { body["target_node_id"] = .string(target) }
        if let at {
            guard ["failover", "switchover"].contains(route), !acceptsDataLoss else {
                throw ValidationError("--at goes with a plain failover or switchover.")
            }
            body["kind"] = .string(route)
            body["at"] = .string(at)
            body["window_s"] = .int(window?.seconds ?? 0)
            let arranged = try await server.post(Arranged.self, "schedules", .object(body))
            if json { return try printJSON(arranged) }
            return arranged.tell(route, of: cluster)
        }
        if acceptsDataLoss { body["accepts_data_loss"] = true }
        // Where the journal ends before: what becomes of it stands behind.
        let before = try await server.get(StatusReport.self, "status").seq
        let answer = try await server.post(Answer.self, route, .object(body))
        let watch = RunWatch(server: server, after: before, maxS: waitMax.seconds)
        try answer.tell(of: cluster, asJSON: json)
        if let run = answer.runID { return try await follow(run, watch) }
        guard let approval = answer.approvalID else { return }
        guard wait else {
            throw failure("nothing has begun: it waits for consent", Exit.awaitingApproval)
        }
        try finish(try await watch.end(of: approval))
    }

    /// Without --wait until it is admitted, so that a refusal is not taken for a beginning.
    private func follow(_ run: RunID, _ watch: RunWatch) async throws {
        if wait { return try finish(try await watch.end(of: run)) }
        switch try await watch.beginning(of: run) {
        case .admitted, .unknown: return
        case .ended(let end): try finish(end)
        }
    }

    private func finish(_ end: RunWatch.End) throws {
        switch end {
        case .committed(let run, let detail):
            if !json { print("\(run) is committed\(detail)") }
        case .refused(let what): throw failure(what, Exit.refused)
        case .failed(let what): throw failure(what, Exit.unmet)
        case .timedOut:
            throw failure(
                "it has not ended yet; see 'continuity status'", Exit.stillRunning)
        }
    }
}

/// A move is arranged, and may wait for others to agree to it in advance.
struct Arranged: Codable {
    var seq: Int64
    var approvalID: ApprovalID?
    var needed: Int?
    var expiresAtMs: Int64?

    enum CodingKeys: String, CodingKey {
        case seq
        case approvalID = "approval_id"
        case needed
        case expiresAtMs = "expires_at_ms"
    }

    func tell(_ route: String, of cluster: String) {
        print("a \(route) of \(cluster) is arranged (entry \(seq))")
        guard let approvalID else { return }
        let until = expiresAtMs.map { " until \(timestamp($0))" } ?? ""
        print("\(approvalID) waits\(until) for \(needed ?? 1) of other people:")
        print("  continuity approve \(approvalID) --cluster \(cluster) --reason …")
    }
}

extension MoveOptions.Answer {
    func tell(of cluster: String, asJSON json: Bool) throws {
        if json { return try printJSON(self) }
        if let run = runID, let plan = planID {
            return print("\(run) is taken, by \(plan); see 'continuity run show \(run)'")
        }
        guard let approval = approvalID else { return }
        let until = expiresAtMs.map { " until \(timestamp($0))" } ?? ""
        print("\(approval) waits\(until) for \(needed ?? 1) of other people:")
        print("  continuity approve \(approval) --cluster \(cluster) --reason …")
        if let loss = dataLoss {
            let bytes = loss.bytes.map { " --accept-loss-bytes \($0)" } ?? ""
            print(
                "  continuity approve \(approval) --cluster \(cluster) --accept-loss-ms "
                    + "\(loss.lagMs)\(bytes) --reason …")
        }
    }
}

struct Failover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give up the primary and promote another node: the primary is fenced.",
        discussion: MoveOptions.codes)

    @OptionGroup var options: MoveOptions

    @Flag(help: "The target may lack more than rpo_s allows, if somebody else accepts that too.")
    var acceptDataLoss = false

    func run() async throws {
        try await reporting {
            try await options.request("failover", acceptsDataLoss: acceptDataLoss)
        }
    }
}

struct Switchover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a healthy primary hand over in an orderly way.",
        discussion: MoveOptions.codes)

    @OptionGroup var options: MoveOptions

    func run() async throws { try await reporting { try await options.request("switchover") } }
}
