import ContinuityCore
import ContinuityPostgres
import Foundation
import Glibc
import Testing

@testable import ContinuityDemo

extension RealProcesses {
    /// What a stall of one process brings about, by its length. A measurement for people, run by
    /// `make stall-table`: `make test` leaves it out.
    struct StallTable {
        private static let lengthsMs: [Int] = [100, 250, 500, 1000, 2000, 5000, 20_000]

        private enum Process: String, CaseIterable {
            case agent, serve, database
        }

        /// The stall that a profile promises to stand without a failover, in milliseconds.
        private static func promisedMs(_ profile: DemoOptions.Profile) -> Int {
            profile == .lan ? 500 : 2000
        }

        @Test(arguments: DemoOptions.Profile.allCases)
        func byLength(_ profile: DemoOptions.Profile) async throws {
            try await Bench.run(profile) { bench in
                var table = TextTable(header: ["STALL"] + Process.allCases.map(\.rawValue))
                for length in Self.lengthsMs {
                    var row = ["\(length) ms"]
                    for process in Process.allCases {
                        // Without `serve` every other voter promises, however long it takes.
                        let isPromised = length <= Self.promisedMs(profile) || process == .serve
                        let report = try await bench.play(
                            "\(process.rawValue) stalls for \(length) ms",
                            isPromised ? .none : .either
                        ) { old in
                            let pids = try await Self.pids(of: process, bench, old)
                            bench.send(SIGSTOP, to: pids)
                            try await Task.sleep(for: .milliseconds(length))
                            bench.send(SIGCONT, to: pids)
                        }
                        row.append(
                            report.failovers == 0
                                ? "stays, \(report.outageMs) ms" : "moves, \(report.outageMs) ms")
                    }
                    table.rows.append(row)
                }
                Console(isQuiet: false).say(
                    "\nstalls, profile \(profile.rawValue): what the primary does, and the outage\n"
                        + table.lines.joined(separator: "\n") + "\n")
            }
        }

        private static func pids(
            of process: Process, _ bench: Bench, _ member: DemoLayout.Member
        ) async throws -> [Int32?] {
            switch process {
            case .agent: [await bench.agentPID(member.id)]
            case .serve: [await bench.servePID()]
            case .database: member.postgres.processes.living()
            }
        }
    }
}
