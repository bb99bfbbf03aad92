import ContinuityCore
import Foundation
import Testing

/// Every rule is explained to operators and shown by a scenario, so that neither can go stale.
@Suite struct HoldRuleTests {
    /// Shown by tests of the core instead (`DrillTests`, `ApprovalTests`, `ContradictionTests`,
    /// `MembershipTests`, `QuarantineTests`): scenarios have no drills, approvals, second
    /// orchestrators, files or mistakes.
    private static let elsewhere: [HoldRule] = [
        .drillActive, .approvalPending, .anotherPrimary, .otherLeadership, .promotionInDoubt,
        .configurationConflict, .internalFault, .openReviews,
    ]

    private static let guide: String = {
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = repository.appendingPathComponent("docs/operations.md")
        return (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    }()

    /// The names in the first column of the table that begins with `| rule |`.
    private static let explained: [String] = guide.split(separator: "\n")
        .drop { !$0.hasPrefix("| rule |") }.dropFirst(2).prefix { $0.hasPrefix("|") }
        .flatMap { $0.split(separator: "|")[0].matches(of: #/`([a-z_]+)`/#).map { String($0.1) } }

    @Test func theGuideExplainsEachRuleOnceAndNoOther() {
        #expect(Self.explained.sorted() == HoldRule.allCases.map(\.rawValue).sorted())
    }

    @Test(arguments: HoldRule.allCases)
    func aScenarioShowsIt(_ rule: HoldRule) {
        guard !Self.elsewhere.contains(rule) else { return }
        let shown = ScenarioTests.files.contains { file in
            let text =
                (try? String(
                    contentsOfFile: "\(ScenarioTests.folder)/\(file)", encoding: .utf8)) ?? ""
            return text.contains(" \(rule.rawValue): ")
        }
        #expect(shown, "no scenario comes to the rule \(rule.rawValue)")
    }
}
