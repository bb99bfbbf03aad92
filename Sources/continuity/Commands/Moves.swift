import ArgumentParser
import ContinuityCore
import Foundation

/// What `failover` and `switchover` share.
struct MoveOptions: ParsableArguments {
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

    @OptionGroup var server: ServerOptions

    func validate() throws {
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
            let noted = try await server.post(Noted.self, "schedules", .object(body))
            if json { return try printJSON(noted) }
            return print("a \(route) of \(cluster) is arranged (entry \(noted.seq))")
        }
        if acceptsDataLoss { body["accepts_data_loss"] = true }
        let answer = try await server.post(Answer.self, route, .object(body))
        try answer.tell(of: cluster, asJSON: json)
    }
}

extension MoveOptions.Answer {
    func tell(of cluster: String, asJSON json: Bool) throws {
        if json { return try printJSON(self) }
        if let run = runID, let plan = planID {
            return print("\(run) has begun, by \(plan); see 'continuity status'")
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
        abstract: "Give up the primary and promote another node: the primary is fenced.")

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
        abstract: "Let a healthy primary hand over in an orderly way.")

    @OptionGroup var options: MoveOptions

    func run() async throws { try await reporting { try await options.request("switchover") } }
}
