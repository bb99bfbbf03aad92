import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCore
import ContinuityServer
import Foundation

extension PlanKind: ExpressibleByArgument {}
extension PlanFile.Format: ExpressibleByArgument {}

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Plan a failover from files, without a server.",
        discussion: """
            The same input gives the same bytes. With --read, a plan is read back, its plan_id is \
            checked against its content, and it is written again, byte for byte.
            """)

    @Option(help: "The cluster, YAML or JSON.")
    var cluster: String?

    @Option(help: "The policy, YAML or JSON.")
    var policy: String?

    @Option(help: "A plan to read back instead of planning.")
    var read: String?

    @Option(
        help: "failover, switchover, restart or rebalance; by default as the topology asks.")
    var kind: PlanKind?

    @Option(help: "Why it is planned; part of the plan.")
    var trigger = "primary_failure"

    @Option(help: "The node to promote; the policy chooses otherwise.")
    var target: String?

    @Option(help: "yaml or json; by default as the output file ends, else yaml.")
    var format: PlanFile.Format?

    @Option(help: "Write to this file instead of standard output.")
    var output: String?

    func validate() throws {
        guard (read == nil) != (cluster == nil && policy == nil) else {
            throw ValidationError("Give either --cluster and --policy, or --read.")
        }
        guard (cluster == nil) == (policy == nil) else {
            throw ValidationError("--cluster and --policy belong together.")
        }
    }

    func run() async throws {
        try await reporting {
            let plan = try self.plan()
            let format = format ?? output.map(PlanFile.Format.init(file:)) ?? .yaml
            let text = PlanFile.text(plan, format)
            guard let output else { return printDocument(text, terminator: "") }
            do {
                // Atomically: a plan is there as a whole or not at all.
                try Data(text.utf8).write(to: URL(fileURLWithPath: output), options: .atomic)
            } catch {
                throw ConfigError(
                    file: output, line: nil, message: "cannot be written",
                    remedy: "check that the folder exists and may be written to")
            }
        }
    }

    private func plan() throws -> Plan {
        if let read { return try PlanFile.load(file: read, digest: .openSSL) }
        guard let cluster, let policy else { throw CleanExit.helpRequest(Self.self) }
        let described = try ClusterFile.load(file: cluster)
        let rules = try PolicyFile.load(file: policy, for: described)
        do {
            return try Planner.plan(
                cluster: described, policy: rules,
                request: PlanRequest(
                    kind: kind
                        ?? (described.topology == .activeActive ? .rebalance : .failover),
                    triggerReason: trigger, targetNodeID: target.map { NodeID($0) }),
                digest: .openSSL)
        } catch {
            throw failure("no plan: \(error.rule.rawValue): \(error.evidence)", Exit.refused)
        }
    }
}
