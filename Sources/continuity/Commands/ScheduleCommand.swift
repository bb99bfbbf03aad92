import ArgumentParser
import ContinuityCommandLine
import ContinuityCore

struct ScheduleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule",
        abstract: "Moves that are arranged for a time.",
        discussion:
            "They are arranged with 'continuity switchover --at TIME' or 'failover --at TIME'.",
        subcommands: [ScheduleListCommand.self, ScheduleCancel.self])
}

struct ScheduleListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List what is arranged.")

    @Flag(help: "Print JSON, one object a line.")
    var json = false

    @OptionGroup var server: ServerOptions

    func run() async throws {
        try await reporting {
            let list = try await server.get(ScheduleList.self, "schedules")
            if json { return try list.schedules.forEach { try printJSON($0) } }
            var table = Table(
                "CLUSTER", "MOVE", "FROM", "TO", "AT", "UNTIL", "BY", "REASON", "APPROVAL", "HELD")
            for item in list.schedules {
                table.add(
                    item.clusterID.rawValue, item.move.kind.rawValue,
                    item.move.fromNodeID.rawValue, item.move.targetNodeID?.rawValue ?? "the best",
                    timestamp(item.move.atMs), timestamp(item.move.untilMs),
                    item.move.requestedBy, item.move.reason,
                    item.approval.map { $0.isComplete ? "given" : $0.approvalID.rawValue } ?? "-",
                    item.hold.map { "\($0.rule.rawValue): \($0.evidence)" } ?? "-")
            }
            print(list.schedules.isEmpty ? "nothing is arranged" : table.text)
        }
    }
}

struct ScheduleCancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Cancel a cluster's arranged move.",
        discussion: "Exits with 3 when there is none.")

    @Option(help: "The cluster.")
    var cluster: String

    @OptionGroup var order: OrderOptions

    func run() async throws {
        try await reporting {
            try await order.send(
                "schedules/cancel", ["cluster_id": .string(cluster)],
                done: "the arranged move of \(cluster) is cancelled")
        }
    }
}
