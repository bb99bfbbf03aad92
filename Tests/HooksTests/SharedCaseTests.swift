import ContinuityCore
import Foundation
import Testing

@testable import ContinuityHooks

/// Scripts that others send in: `shared/cases/hooks` beside the checkout, where there is one. Their
/// first lines say which function to call and what may come of it. What they taught stands in
/// `Attacks` and `DeterminismTests` as well, so that nothing depends on that folder.
@Suite("Shared cases", .serialized)
struct SharedCaseTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let file: URL
        let entry: String
        let expected: [String]
        var testDescription: String { file.lastPathComponent }

        init?(_ file: URL) {
            guard let text = try? String(contentsOf: file, encoding: .utf8) else { return nil }
            var headers: [String: String] = [:]
            for line in text.split(separator: "\n") where line.hasPrefix("-- ") {
                let parts = line.dropFirst(3).split(separator: ": ", maxSplits: 1)
                if parts.count == 2 { headers[String(parts[0])] = String(parts[1]) }
            }
            guard let entry = headers["entry"], let expect = headers["expect"] else { return nil }
            self.file = file
            self.entry = entry
            expected = expect.split(separator: "|").map(String.init)
        }
    }

    static let folder = ShippedPackTests.root.deletingLastPathComponent()
        .appending(path: "shared/cases/hooks")

    static let all: [Case] = {
        let files =
            (try? FileManager.default.contentsOfDirectory(
                at: folder, includingPropertiesForKeys: nil)) ?? []
        return files.filter { $0.pathExtension == "lua" }.compactMap(Case.init)
            .sorted { $0.testDescription < $1.testDescription }
    }()

    @Test("each ends as it says", arguments: all)
    func ends(_ shared: Case) async throws {
        let pack = try HookPack.bare(script: shared.file.path, entry: shared.entry)
        var seen: Set<[UInt8]> = []
        for _ in 1...8 {
            // A new sandbox each: other addresses.
            let runtime = try HookTesting.runtime(workers: 1)
            defer { runtime.shutdown() }
            var outcome = await runtime.invoke(
                HookInvocation(
                    pack: pack.withLongestTimes, stage: pack.manifest.stages[0], context: [:],
                    function: shared.entry), broker: RecordingBroker())
            if shared.expected != ["deterministic"] {
                #expect(shared.expected.contains(outcome.status.rawValue), "\(outcome)")
            }
            outcome.usage = HookUsage()
            seen.insert(try CanonicalJSON.bytes(encoding: outcome))
        }
        #expect(seen.count == 1)
    }
}
