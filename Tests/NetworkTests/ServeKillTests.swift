import ContinuityCore
import ContinuityPostgres
import ContinuityStore
import Foundation
import Glibc
import Testing

@testable import ContinuityDemo

extension RealProcesses {
    /// `serve` is killed wherever its journal stands during a run, and goes on.
    struct ServeKillTests {
        /// A run has some 20 durable steps; more than this means that it does not end.
        private static let mostBoundaries = 60

        @Test func survivesAtEveryBoundaryOfARun() async throws {
            try await Bench.run(.lan) { bench in
                var rows: [[String]] = []
                var offset: Int64 = 0
                var seen: Set<Int64> = []
                var killed: Set<Int64> = []
                while offset < Self.mostBoundaries {
                    let outcome = try await Self.killAt(offset, bench)
                    rows.append(outcome.row)
                    Console(isQuiet: false).say(outcome.row.joined(separator: " | "))
                    seen.formUnion(outcome.seen)
                    killed.insert(outcome.reached)
                    if outcome.isOver { break }
                    // A batch of entries is durable at once: there is no boundary inside it.
                    offset = outcome.reached + 1
                }
                // Boundaries that were seen in passing, and that no kill has met yet.
                for missed in seen.subtracting(killed).sorted() where !killed.contains(missed) {
                    let outcome = try await Self.killAt(missed, bench)
                    rows.append(outcome.row)
                    Console(isQuiet: false).say(outcome.row.joined(separator: " | "))
                    killed.insert(outcome.reached)
                }
                var table = TextTable(header: [
                    "KILLED AFTER", "ENTRY OF THE RUN", "ENDED AS", "OUTAGE", "DUAL WRITES", "LOST",
                ])
                table.rows = rows
                Console(isQuiet: false).say(
                    "\nserve killed at each boundary\n" + table.lines.joined(separator: "\n") + "\n"
                )
                #expect(rows.count >= 8, "a run has more boundaries than were met")
            }
        }

        /// Where the run that was hit did not commit, how it ended and what followed.
        private static func story(of ends: [JournalEntry]) -> String {
            ends.map { end in
                let body = try? JSONDecoder().decode(JSONValue.self, from: Data(end.body))
                return [body?["state"]?.string, body?["reason"]?.string].compactMap(\.self)
                    .filter { !$0.isEmpty }.joined(separator: ": ")
            }
            .joined(separator: "; then ")
        }

        private struct Outcome {
            /// Entries of the run that were durable at the kill, its request not counted.
            var reached: Int64
            var isOver: Bool
            /// Where the journal was seen to end on the way.
            var seen: Set<Int64>
            var row: [String]
        }

        /// Kills the primary's database, then `serve` as soon as the run has `offset` entries more than
        /// its request, then starts it again.
        private static func killAt(_ offset: Int64, _ bench: Bench) async throws -> Outcome {
            try await bench.healthy()
            let old = try await bench.primary()
            let journal = try JournalStore.read(path: bench.layout.journalFile)
            let position = try journal.lastSeq(from: 0)
            let began = ContinuousClock.now
            try await old.postgres.processes.kill()
            var requested: Int64?
            var seenOnTheWay: Set<Int64> = []
            let pid = try #require(await bench.servePID())
            let hit = try await poll(every: .microseconds(200), for: .seconds(30)) {
                let fresh = try journal.entries(after: requested ?? position, limit: 200)
                if requested == nil {
                    requested = fresh.first { $0.kind == "run_requested" }?.seq
                }
                guard let requested, let last = fresh.last?.seq ?? Optional(requested) else {
                    return false
                }
                seenOnTheWay.insert(last - requested)
                guard last - requested >= offset else { return false }
                kill(pid, SIGKILL)
                return true
            }
            try await bench.killServe()
            guard hit, let requested else {
                throw LabFailure("the run never came to entry \(offset)")
            }
            let run = try journal.entries(after: requested - 1, limit: 500)
            let last = try #require(run.last)
            let isOver = run.contains { $0.kind == "run_finished" }
            await bench.startServe()
            try await bench.healthy(within: .seconds(90))

            let all = try journal.entries(after: requested - 1, limit: 1000)
            let ends = all.filter { $0.kind == "run_finished" }
            let body = try JSONDecoder().decode(
                JSONValue.self, from: Data(try #require(ends.last).body))
            let state = body["state"]?.string ?? "?"
            let seen = bench.measurement(since: began, old)
            let lost = try await bench.session.probe.lost(on: try await bench.primary().postgres)
            #expect(seen.dualPrimaryWrites == 0, "after \(last.kind)")
            #expect(lost.isEmpty, "after \(last.kind)")
            return Outcome(
                reached: last.seq - requested, isOver: isOver, seen: seenOnTheWay,
                row: [
                    last.kind, "\(last.seq - requested)",
                    ends.count == 1 ? state : Self.story(of: ends),
                    "\(seen.outage.milliseconds) ms", "\(seen.dualPrimaryWrites)", "\(lost.count)",
                ])
        }
    }
}

extension JournalStore {
    /// The last entry's number, not before `seq`.
    func lastSeq(from seq: Int64) throws -> Int64 {
        var last = seq
        while true {
            let batch = try entries(after: last, limit: 1000)
            last = batch.last?.seq ?? last
            if batch.count < 1000 { return last }
        }
    }
}
