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

    private struct Accepted: Codable {
        var runID: RunID
        var planID: PlanID

        enum CodingKeys: String, CodingKey {
            case runID = "run_id"
            case planID = "plan_id"
        }
    }

    func request(_ kind: PlanKind) async throws {
        var body: [String: JSONValue] = [
            "cluster_id": .string(cluster), "reason": .string(reason),
            "requested_by": .string(requestedBy),
        ]
        if let target { body["target_node_id"] = .string(target) }
        if let at {
            body["kind"] = .string(kind.rawValue)
            body["at"] = .string(at)
            body["window_s"] = .int(window?.seconds ?? 0)
            let noted = try await server.post(Noted.self, "schedules", .object(body))
            if json { return try printJSON(noted) }
            return print("a \(kind.rawValue) of \(cluster) is arranged (entry \(noted.seq))")
        }
        let accepted = try await server.post(Accepted.self, kind.rawValue, .object(body))
        if json { return try printJSON(accepted) }
        print("\(accepted.runID) has begun, by \(accepted.planID); see 'continuity status'")
    }
}

struct Failover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give up the primary and promote another node: the primary is fenced.")

    @OptionGroup var options: MoveOptions

    func run() async throws { try await reporting { try await options.request(.failover) } }
}

struct Switchover: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a healthy primary hand over in an orderly way.")

    @OptionGroup var options: MoveOptions

    func run() async throws { try await reporting { try await options.request(.switchover) } }
}
