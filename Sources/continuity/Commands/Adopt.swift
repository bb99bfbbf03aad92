import ArgumentParser
import ContinuityCommandLine
import ContinuityCore
import Foundation

struct Adopt: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take a node that already runs as primary for the primary.",
        discussion: "For when the journal names another, as after a restored backup. Nothing is "
            + "started or stopped; it fails where another node runs as primary as well.")

    @Option(help: "The cluster that it belongs to.")
    var cluster: String

    @Option(help: "The node that runs as primary.")
    var node: String

    @Option(help: "Why, for the journal.")
    var reason: String

    @Option(help: "Who asks, for the journal.")
    var requestedBy = ProcessInfo.processInfo.userName

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var server: ServerOptions

    func run() async throws {
        try await reporting {
            let answer = try await server.post(
                MoveOptions.Answer.self, "adopt",
                [
                    "cluster_id": .string(cluster), "target_node_id": .string(node),
                    "reason": .string(reason), "requested_by": .string(requestedBy),
                ])
            try answer.tell(of: cluster, asJSON: json)
            guard answer.runID != nil || answer.approvalID == nil else {
                throw failure("nothing has begun: it waits for consent", Exit.awaitingApproval)
            }
        }
    }
}
