import ArgumentParser
import ContinuityCommandLine
import ContinuityCore
import Foundation

struct BrakeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "brake",
        abstract: "The fleet-wide brake: too many automatic failovers at once stop them all.",
        subcommands: [BrakeShow.self, BrakeClear.self])
}

/// The answer to an order: the entry that holds it.
struct Noted: Codable { var seq: Int64 }

/// Who orders something, and how the answer is printed.
struct OrderOptions: ParsableArguments {
    @Option(help: "Why, for the journal.")
    var reason: String

    @Option(help: "Who asks, for the journal.")
    var requestedBy = ProcessInfo.processInfo.userName

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var server: ServerOptions

    /// Sends the order with reason and author added to it.
    func send(_ path: String, _ order: [String: JSONValue], done: String) async throws {
        var body = order
        body["reason"] = .string(reason)
        body["requested_by"] = .string(requestedBy)
        let noted = try await server.post(Noted.self, path, .object(body))
        if json { return try printJSON(noted) }
        print("\(done) (entry \(noted.seq))")
    }
}

struct BrakeShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show whether the brake holds, and what it has counted.")

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var server: ServerOptions

    func run() async throws {
        try await reporting {
            let brake = try await server.get(BrakeStatus.self, "brake")
            if json { return try printJSON(brake) }
            print(Self.text(brake))
        }
    }

    static func text(_ brake: BrakeStatus) -> String {
        let count =
            "\(brake.failovers) of \(brake.maxFailovers) automatic failovers within "
            + "\(brake.windowS) s"
        guard let latch = brake.latch else { return "brake open: \(count)" }
        return "BRAKE latched at \(timestamp(latch.atMs)) by \(latch.clusterID): \(latch.evidence)"
    }
}

struct BrakeClear: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear",
        abstract: "Let clusters move by themselves again; the count begins anew.",
        discussion: "Exits with 3 when the brake does not hold.")

    @OptionGroup var order: OrderOptions

    func run() async throws {
        try await reporting {
            try await order.send("brake/clear", [:], done: "the brake is cleared")
        }
    }
}
