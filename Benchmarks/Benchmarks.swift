import Foundation

/// Runs every benchmark: a table for people or, with `JSON=1`, one JSON object a line.
///
/// `REPEAT` sets how often each fault is repeated (10); `ONLY=planning`, `ONLY=audit` or
/// `ONLY=hooks` runs that part alone, without the real PostgreSQL.
@main
struct Benchmarks {
    static func main() async throws {
        let environment = ProcessInfo.processInfo.environment
        let only = environment["ONLY"]
        let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        var results: [Result] = []
        if only == nil || only == "planning" { results += try PlanningBenchmark.run() }
        if only == nil || only == "audit" { results += try await AuditBenchmark.run() }
        if only == nil || only == "hooks" {
            let sandbox = own.deletingLastPathComponent().appending(path: "continuity-hook-sandbox")
            results += try await HookBenchmark(sandboxPath: sandbox.path).run()
        }
        if only == nil {
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
