import Foundation

/// Runs every benchmark: a table for people or, with `JSON=1`, one JSON object a line.
///
/// `REPEAT` sets how often each fault is repeated (10); `ONLY=planning` leaves the real
/// PostgreSQL out.
@main
struct Benchmarks {
    static func main() async throws {
        let environment = ProcessInfo.processInfo.environment
        var results = try PlanningBenchmark.run()
        if environment["ONLY"] != "planning" {
            let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            results += try await OutageBenchmark(
                executable: own.deletingLastPathComponent().appending(path: "continuity").path,
                repetitions: environment["REPEAT"].flatMap(Int.init) ?? 10
            ).run()
        }
        for result in results {
            print(environment["JSON"] == "1" ? result.json : result.row)
        }
    }
}
