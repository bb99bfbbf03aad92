import ContinuityCore
import ContinuityCrypto
import ContinuityStore
import Foundation
import Subprocess
import SystemPackage

/// `audit verify` over a real journal file, beside `sha256sum` over the same bytes.
enum AuditBenchmark {
    private static let entries = 200_000
    private static let batch = 1000
    private static let repetitions = 5
    private static let digest = ContentDigest { SHA256.digest($0) }

    static func run() async throws -> [Result] {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "continuity-bench-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = folder + "/journal.sqlite"
        try write(to: file)
        var verifying: [Double] = []
        var summing: [Double] = []
        for _ in 0..<repetitions {
            verifying.append(try seconds { try verify(file) })
            let start = ContinuousClock.now
            let result = try await Subprocess.run(
                .name("sha256sum"), arguments: [file], output: .discarded, error: .discarded)
            precondition(result.terminationStatus.isSuccess, "sha256sum read the journal")
            summing.append(start.duration(to: .now) / .seconds(1))
        }
        let rate = Double(entries) / verifying.sorted()[repetitions / 2]
        return [
            Result(
                name: "audit verify, \(entries) entries, one core", value: rate.rounded(),
                unit: "/s",
                against: .init(name: "the promise of 100,000 a second", value: 100_000)),
            Result(
                name: "audit verify, the same file", value: verifying.sorted()[repetitions / 2],
                unit: "s",
                against: .init(
                    name: "sha256sum of its bytes", value: summing.sorted()[repetitions / 2])),
        ]
    }

    private static func verify(_ file: String) throws {
        let head = try JournalStore.read(path: file).verify(digest: digest, inspect: { _ in }).head
        precondition(head.seq == entries, "the whole journal was checked")
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        try body()
        return start.duration(to: .now) / .seconds(1)
    }

    /// Entries of the size that a run's have: some 400 bytes of body.
    private static func write(to file: String) throws {
        let store = try JournalStore.open(path: file)
        var head = JournalHead.empty
        for start in stride(from: 0, to: entries, by: batch) {
            let written = (start..<start + batch).map { number -> JournalEntry in
                let body = JournalBody.operationFinished(
                    OperationFinished(
                        operation: OperationKey("run-\(number / 20)/promote/node-\(number % 3)"),
                        runID: RunID("run-\(number / 20)"), stage: .promote,
                        result: OperationResult(
                            outcome: .ok, detail: String(repeating: "x", count: 80),
                            durationMs: 120,
                            hook: HookOutcome(status: .ok, logs: ["lag is \(number % 900) ms"]))))
                let entry = JournalEntry(
                    after: head, epoch: 1, atMs: Int64(number), actor: "continuity",
                    clusterID: "orders", kind: body.kind, body: body.bytes(), digest: digest)
                head = JournalHead(seq: entry.seq, hash: entry.hash)
                return entry
            }
            try store.append(written)
        }
        try store.close()
    }
}
