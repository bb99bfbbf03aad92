import ContinuitySimulation
import Foundation
import Testing

/// Readable files: what goes in above the line, what comes of it below. After a change that is
/// meant, `continuity simulate --rewrite Tests/SimulationTests/Scenarios` writes them anew; the
/// difference is reviewed like code.
@Suite struct ScenarioTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Scenarios").path

    static let files: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
        .filter { $0.hasSuffix(".scenario") }.sorted()

    @Test func thereAreEnough() { #expect(Self.files.count >= 80) }

    @Test(arguments: files)
    func comesOutAsItIsWritten(_ file: String) throws {
        let text = try String(contentsOfFile: "\(Self.folder)/\(file)", encoding: .utf8)
        let scenario = try Scenario(text: text)
        #expect(scenario.outcome() == scenario.expected)
        #expect(!scenario.expected.contains("VIOLATION"))
    }

    @Test(arguments: [
        ("nodes 3\nat 5 crash-database node-1", 2, "is no time"),
        ("nodes 3\nat 5s crash-database node-9", 2, "there is no node 'node-9'"),
        ("nodes 3\npolicy speed=fast", 2, "a policy has no 'speed'"),
        ("nodes 3\n\nbegin", 3, "begins no line"),
        ("nodes 3\nat 5s explode node-1", 2, "is no event"),
        ("node a secondary", 1, "no node is the primary"),
    ])
    func aMistakeIsToldWithItsLine(_ text: String, _ line: Int, _ message: String) {
        let error = #expect(throws: ScenarioError.self) { try Scenario(text: text) }
        #expect(error?.line == line)
        #expect(error?.message.contains(message) == true)
    }
}
