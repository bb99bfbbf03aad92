import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCore
import Foundation

extension DrillScenario: ExpressibleByArgument {}

struct DrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill",
        abstract: "See what a move would do, with the real hooks, without moving anything.",
        subcommands: [DrillRun.self])
}

struct DrillRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Play a move through on a running server and report it.",
        discussion: """
            Readings go through; effects are recorded and answered with stand-ins. A real failover \
            ends the drill at once.

            Exit codes: 0 it would hold; 1 it would fail, or the drill was cancelled; 3 a policy \
            would refuse it, or the drill itself was refused.
            """)

    @Option(help: "The cluster.")
    var cluster: String

    @Option(help: "primary_failure or switchover.")
    var scenario = DrillScenario.primaryFailure

    @Option(help: "The node to promote; the policy chooses otherwise.")
    var target: String?

    @Option(help: "Why, for the journal.")
    var reason = ""

    @Option(help: "Who asks, for the journal.")
    var requestedBy = ProcessInfo.processInfo.userName

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(help: "Print Markdown.")
    var markdown = false

    @Option(help: "Write the report to this file instead of standard output.")
    var output: String?

    @OptionGroup var server: ServerOptions

    private struct Accepted: Decodable {
        var drillID: String
        enum CodingKeys: String, CodingKey { case drillID = "drill_id" }
    }

    func validate() throws {
        guard !(json && markdown) else { throw ValidationError("Give --json or --markdown.") }
    }

    func run() async throws {
        try await reporting {
            var body: [String: JSONValue] = [
                "cluster_id": .string(cluster), "scenario": .string(scenario.rawValue),
                "reason": .string(reason), "requested_by": .string(requestedBy),
            ]
            if let target { body["target_node_id"] = .string(target) }
            let accepted = try await server.post(Accepted.self, "drill", .object(body))
            let report = try await wait(for: accepted.drillID)
            let text =
                json
                ? SafeText.json(
                    String(decoding: try CanonicalJSON.bytes(encoding: report), as: UTF8.self))
                : markdown
                    ? DrillText.markdown(try forPeople(report, SafeText.markdown))
                    : DrillText.plain(try forPeople(report))
            try write(text)
            switch report.state {
            case .passed: break
            case .refused: throw failure("it would be refused: \(report.detail)", Exit.refused)
            case .failed: throw failure("it would fail: \(report.detail)", Exit.unmet)
            case .cancelled: throw failure("cancelled: \(report.detail)", Exit.unmet)
            }
        }
    }

    /// The server ends every drill by the policy's deadline, so this ends too.
    private func wait(for drill: String) async throws -> DrillReport {
        while true {
            let answer = try await server.get(JSONValue.self, "drill/\(drill)")
            if answer["state"]?.string == "running" {
                try await Task.sleep(for: .milliseconds(100))
                continue
            }
            return try JSONDecoder().decode(
                DrillReport.self, from: Data(CanonicalJSON.bytes(answer)))
        }
    }

    private func write(_ text: String) throws {
        guard let output else { return print(text) }
        do {
            try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: output), options: .atomic)
        } catch {
            throw ConfigError(
                file: output, line: nil, message: "cannot be written",
                remedy: "check that the folder exists and may be written to")
        }
    }
}
