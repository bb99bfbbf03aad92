import Foundation
import Subprocess

/// Which processors this process may use. Children that it starts later inherit it.
enum CoreAffinity {
    struct Processors {
        /// As `taskset` writes a list: `0-3,6`.
        let all: String

        var first: String { String(all.prefix { $0.isNumber }) }
    }

    static func current() async throws -> Processors {
        let printed = try await taskset(["-cp", ownID])
        let list = printed.split(separator: ":").last.map(String.init) ?? ""
        let all = list.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let first = all.first, first.isNumber else {
            throw BenchmarkFailure(message: "taskset printed '\(printed)'")
        }
        return Processors(all: all)
    }

    /// Moves every thread of this process.
    static func set(_ processors: String) async throws {
        _ = try await taskset(["-acp", processors, ownID])
    }

    private static var ownID: String { String(ProcessInfo.processInfo.processIdentifier) }

    private static func taskset(_ arguments: [String]) async throws -> String {
        let record = try await Subprocess.run(
            .name("taskset"), arguments: Arguments(arguments), output: .string(limit: 65_536))
        guard record.terminationStatus.isSuccess else {
            throw BenchmarkFailure(message: "taskset (util-linux) failed")
        }
        return record.standardOutput
    }
}
