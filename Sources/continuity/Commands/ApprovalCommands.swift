import ArgumentParser
import ContinuityCommandLine
import ContinuityCore
import Foundation

/// The answer to an approval: it was noted, or the run has begun by it.
private struct Answered: Codable {
    var seq: Int64?
    var runID: RunID?

    enum CodingKeys: String, CodingKey {
        case seq
        case runID = "run_id"
    }
}

/// What `approve` and `refuse` share.
struct ApprovalOptions: ParsableArguments {
    @Argument(help: "The approval, as 'continuity status' or the alert names it.")
    var approval: String

    @Option(help: "The cluster that it is about.")
    var cluster: String

    @Option(help: "Why, for the journal.")
    var reason: String

    @Option(help: "Who answers, where nobody proves who they are.")
    var requestedBy = ProcessInfo.processInfo.userName

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var server: ServerOptions

    func send(_ verb: String, _ more: [String: JSONValue] = [:], done: String) async throws {
        var body = more
        body["cluster_id"] = .string(cluster)
        body["reason"] = .string(reason)
        body["requested_by"] = .string(requestedBy)
        let answered = try await server.post(
            Answered.self, "approvals/\(approval)/\(verb)", .object(body))
        if json { return try printJSON(answered) }
        if let run = answered.runID {
            print("\(done); \(run) has begun, see 'continuity status'")
        } else {
            print("\(done) (entry \(answered.seq ?? 0))")
        }
    }
}

struct Approve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Agree to a move that somebody else asked for, exactly as it is planned.",
        discussion: """
            A data loss beyond rpo_s is a question of its own: with --accept-loss-ms (and \
            --accept-loss-bytes, where they are known) this answers that one instead. Exits with 3 \
            when it is not taken: by the same person, not of the group, answered, expired or void.
            """)

    @OptionGroup var options: ApprovalOptions

    @Option(help: "The data loss that you accept, in milliseconds.")
    var acceptLossMs: Int64?

    @Option(help: "The data loss that you accept, in bytes.")
    var acceptLossBytes: Int64?

    func validate() throws {
        guard acceptLossBytes == nil || acceptLossMs != nil else {
            throw ValidationError("--accept-loss-bytes needs --accept-loss-ms.")
        }
    }

    func run() async throws {
        try await reporting {
            guard let acceptLossMs else {
                return try await options.send("approve", done: "\(options.approval) is approved")
            }
            var loss: [String: JSONValue] = ["lag_ms": .int(acceptLossMs)]
            if let acceptLossBytes { loss["bytes"] = .int(acceptLossBytes) }
            try await options.send("accept-data-loss", loss, done: "the data loss is accepted")
        }
    }
}

struct Refuse: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Refuse a move that somebody asked for, or take back one's own request.")

    @OptionGroup var options: ApprovalOptions

    func run() async throws {
        try await reporting {
            try await options.send("refuse", done: "\(options.approval) is refused")
        }
    }
}

struct BreakGlass: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask, as an admin, for a failover past every approval and pause.",
        discussion: """
            A second admin must 'approve' it within 300 s. It is alerted loudly and leaves a review \
            open. Fencing and quorum hold all the same.
            """)

    @OptionGroup var options: MoveOptions

    func run() async throws {
        try await reporting { try await options.request("break-glass") }
    }
}

struct ReviewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "review", abstract: "What broken glass left to be looked at.",
        subcommands: [ReviewClose.self])
}

struct ReviewClose: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "close", abstract: "Close a review, as somebody who did not ask for it.")

    @Argument(help: "The review, as 'continuity status' names it.")
    var review: String

    @Option(help: "The cluster that it is about.")
    var cluster: String

    @OptionGroup var order: OrderOptions

    func run() async throws {
        try await reporting {
            try await order.send(
                "reviews/\(review)/close", ["cluster_id": .string(cluster)],
                done: "\(review) is closed")
        }
    }
}
