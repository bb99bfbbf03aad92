import ContinuityCore
import Foundation
import Subprocess
import SystemPackage

/// The client's outage on a real PostgreSQL, by the demo of the same build, against a promotion
/// by hand at the instant of death in the same run.
struct OutageBenchmark {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private struct Spread: Decodable {
        let min: Int64
        let median: Int64
        let max: Int64
    }

    private struct Usage: Decodable {
        let residentBytes: Int64
        let cpuPermille: Int64

        enum CodingKeys: String, CodingKey {
            case residentBytes = "resident_bytes"
            case cpuPermille = "cpu_permille"
        }
    }

    private struct Report: Decodable {
        let ok: Bool
        let reason: String?
        let outageMs: Spread?
        let serve: Usage?

        enum CodingKeys: String, CodingKey {
            case ok, reason, serve
            case outageMs = "outage_ms"
        }
    }

    let executable: String
    let repetitions: Int

    func run() async throws -> [Result] {
        let floor = try await demo(["--scenario", "by-hand"]).outage
        let crash = try await demo(["--scenario", "crash"])
        let nodeLoss = try await demo(["--scenario", "node-loss"])
        let nodeLossLAN = try await demo(["--scenario", "node-loss", "--profile", "lan"])
        let switchover = try await demo(["--scenario", "switchover"])
        let byHand = Result.Reference(name: "promotion by hand", value: Double(floor.median))
        func budget(_ ms: Double) -> Result.Reference {
            .init(name: "the budget of \(Int(ms)) ms", value: ms)
        }
        func result(_ name: String, _ value: Int64, _ against: Result.Reference?) -> Result {
            Result(name: name, value: Double(value), unit: "ms", against: against)
        }
        var results = [
            result("promotion by hand, median", floor.median, nil),
            result("crash, median", crash.outage.median, byHand),
            result("crash, median", crash.outage.median, budget(500)),
            result("crash, worst", crash.outage.max, budget(1500)),
            result("node loss (standard), worst", nodeLoss.outage.max, budget(5000)),
            result("node loss (lan), worst", nodeLossLAN.outage.max, budget(2000)),
            result("switchover, median", switchover.outage.median, byHand),
            result("switchover, median", switchover.outage.median, budget(600)),
        ]
        if let usage = crash.usage {
            results += [
                Result(
                    name: "serve idle, resident", value: Double(usage.residentBytes) / 1e6,
                    unit: "MB", against: .init(name: "the budget of 100 MB", value: 100)),
                Result(
                    name: "serve idle, of one core", value: Double(usage.cpuPermille) / 10,
                    unit: "%", against: .init(name: "the budget of 3 %", value: 3)),
            ]
        }
        return results
    }

    private func demo(
        _ arguments: [String]
    ) async throws -> (outage: (min: Int64, median: Int64, max: Int64), usage: Usage?) {
        let all = ["demo", "--json", "--repeat", String(repetitions)] + arguments
        let result = try await Subprocess.run(
            .path(FilePath(executable)), arguments: .init(all),
            output: .bytes(limit: 4 << 20), error: .discarded)
        let report = try JSONDecoder().decode(Report.self, from: Data(result.standardOutput))
        guard report.ok, let outage = report.outageMs else {
            throw Failure(
                description: "continuity \(all.joined(separator: " ")): "
                    + (report.reason ?? "no outage was measured"))
        }
        return ((outage.min, outage.median, outage.max), report.serve)
    }
}
