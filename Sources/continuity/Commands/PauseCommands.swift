import ArgumentParser
import ContinuityCommandLine
import ContinuityCore
import Foundation

/// What `pause` and `maintenance start` share.
struct SuspensionOptions: ParsableArguments {
    @Option(help: "The cluster.")
    var cluster: String

    @Option(
        name: .customLong("for"), help: "For how long: 90s, 30m, 2h, 3d; seven days at most.")
    var span: Span

    @Option(help: "Whom to ask about it; who asks, when not given.")
    var owner: String?

    @OptionGroup var order: OrderOptions

    func send(_ path: String, node: String? = nil, done: String) async throws {
        var body: [String: JSONValue] = [
            "cluster_id": .string(cluster), "duration_s": .int(span.seconds),
        ]
        if let owner { body["owner"] = .string(owner) }
        if let node { body["node_id"] = .string(node) }
        try await order.send(path, body, done: done)
    }
}

struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Nothing of a cluster moves until it is resumed or the time is over.",
        discussion: """
            Leases are renewed and nodes are brought back meanwhile; a run under way goes on. Moves \
            by hand are refused too: resume first. Pausing again replaces owner, reason and end.
            """)

    @OptionGroup var options: SuspensionOptions

    func run() async throws {
        try await reporting {
            try await options.send("pause", done: "\(options.cluster) is paused")
        }
    }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End a cluster's pause.", discussion: "Exits with 3 when it is not paused.")

    @Option(help: "The cluster.")
    var cluster: String

    @OptionGroup var order: OrderOptions

    func run() async throws {
        try await reporting {
            try await order.send(
                "resume", ["cluster_id": .string(cluster)], done: "\(cluster) is resumed")
        }
    }
}

struct Maintenance: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say that people work on a node, or on a whole cluster.",
        discussion: "Under way is what 'continuity status' shows.",
        subcommands: [MaintenanceStart.self, MaintenanceEnd.self])
}

struct MaintenanceStart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Leave a node or a cluster to those who work on it.",
        discussion: """
            A node in maintenance is no target, is not brought back, and its death alone alarms \
            nobody; a primary in maintenance is not replaced: switch over first. Moves by hand go on.
            """)

    @Option(help: "The node; the whole cluster when not given.")
    var node: String?

    @OptionGroup var options: SuspensionOptions

    func run() async throws {
        try await reporting {
            try await options.send(
                "maintenance/start", node: node,
                done: "\(node ?? options.cluster) is in maintenance")
        }
    }
}

struct MaintenanceEnd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "end", abstract: "End a maintenance before its time.")

    @Option(help: "The cluster.")
    var cluster: String

    @Option(help: "The node; the whole cluster when not given.")
    var node: String?

    @OptionGroup var order: OrderOptions

    func run() async throws {
        try await reporting {
            var body: [String: JSONValue] = ["cluster_id": .string(cluster)]
            if let node { body["node_id"] = .string(node) }
            try await order.send(
                "maintenance/end", body, done: "the maintenance of \(node ?? cluster) has ended")
        }
    }
}
