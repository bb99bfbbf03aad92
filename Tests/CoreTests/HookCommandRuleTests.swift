import Testing

@testable import ContinuityCore

/// What a hook may order an agent to do: nothing that could make two primaries or lose data.
struct HookCommandRuleTests {
    private func objection(
        _ command: AgentCommand.Name, on node: NodeID, _ stage: Stage,
        _ timing: HookBinding.Timing = .before, _ kind: PlanKind = .failover
    ) -> String? {
        HookCommandRule(
            stage: stage, timing: timing, kind: kind, primary: "old", target: "new"
        ).objection(to: command, on: node)
    }

    @Test func whatMakesAPrimaryOrThrowsDataAwayIsNeverAllowed() {
        for stage in Stage.allCases {
            for timing in HookBinding.Timing.allCases {
                for kind in PlanKind.allCases {
                    for node: NodeID in ["old", "new", "other"] {
                        for command: AgentCommand.Name in [.promote, .rejoin, .restart] {
                            #expect(objection(command, on: node, stage, timing, kind) != nil)
                        }
                    }
                }
            }
        }
    }

    @Test func readingsAndHarmlessEffectsAreAllowedEverywhere() {
        for stage in Stage.allCases {
            for command: AgentCommand.Name in [.status, .prepare, .own] {
                #expect(objection(command, on: "other", stage) == nil)
            }
        }
    }

    @Test func theOldPrimaryIsStoppedOnlyWhereTheRunIsAboutToStopIt() {
        #expect(objection(.fence, on: "old", .demote) == nil)
        #expect(objection(.demote, on: "old", .demote, .before, .switchover) == nil)
        #expect(objection(.fence, on: "old", .demote, .before, .switchover) != nil)
        #expect(objection(.demote, on: "old", .demote) != nil)
        #expect(objection(.fence, on: "old", .demote, .after) != nil)
        for node: NodeID in ["new", "other"] {
            #expect(objection(.fence, on: node, .demote) != nil)
        }
        for stage in Stage.allCases where stage != .demote {
            #expect(objection(.fence, on: "old", stage) != nil)
            #expect(objection(.demote, on: "old", stage, .before, .switchover) != nil)
        }
    }

    @Test func onlyOthersFollowAndOnlyANewPrimary() {
        #expect(objection(.follow, on: "other", .promote, .after) == nil)
        for stage: Stage in [.dnsFlip, .notify, .verify] {
            #expect(objection(.follow, on: "other", stage) == nil)
            #expect(objection(.follow, on: "other", stage, .before, .restart) != nil)
            #expect(objection(.follow, on: "new", stage) != nil)
            #expect(objection(.follow, on: "old", stage) != nil)
        }
        for stage: Stage in [.preCheck, .demote, .promote, .rollback, .restart] {
            #expect(objection(.follow, on: "other", stage) != nil)
        }
    }

    @Test func namesOfAnAgentsOwnPrograms() {
        for name in ["pg-inspect", "a", "x9"] { #expect(AgentCommand.isProgramName(name)) }
        let bad = [
            "", "own", "promote", "status", "Pg", "9x", "-x", "a_b", "a b", "../x",
            String(repeating: "a", count: 65),
        ]
        for name in bad { #expect(!AgentCommand.isProgramName(name)) }
    }
}
