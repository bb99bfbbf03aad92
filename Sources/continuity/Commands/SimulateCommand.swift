import ArgumentParser
import ContinuityConfig
import ContinuityCore
import ContinuitySimulation
import Foundation

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Try the decision logic against faults, in simulated time.")

    @Option(help: "Seeds A..B to run with faults by chance, both included.")
    var seeds: String?

    @Option(help: "How many simulated minutes faults go on for each seed.")
    var minutes: Int64 = 3

    func run() async throws {
        let parts = (seeds ?? "1..10").split(separator: ".", omittingEmptySubsequences: true).compactMap { UInt64($0) }
        for seed in (parts.first ?? 1)...(parts.last ?? 1) {
            let result = Simulation.run(seed: seed, minutes: minutes)
            print(seed, result.violation.map { "\($0)" } ?? "ok", result.simulatedMs, result.events, result.runs, result.healedAfterMs)
        }
    }
}
