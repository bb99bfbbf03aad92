import ContinuityCore
import Foundation
import Testing

@testable import ContinuityHooks

@Suite("What editors read")
struct LuaDefinitionsTests {
    /// With `CONTINUITY_WRITE_DEFINITIONS=1` the files are written instead.
    @Test(
        "the committed files are what the catalogue gives",
        arguments: [
            ("hooks/library/continuity.d.lua", LuaDefinitions.text()),
            (".luarc.json", LuaDefinitions.luarc), (".luacheckrc", LuaDefinitions.luacheckrc),
        ])
    func committed(path: String, expected: String) throws {
        let file = ShippedPackTests.root.appendingPathComponent(path)
        if ProcessInfo.processInfo.environment["CONTINUITY_WRITE_DEFINITIONS"] == "1" {
            try expected.write(to: file, atomically: true, encoding: .utf8)
        }
        let committed = try String(contentsOf: file, encoding: .utf8)
        #expect(
            committed == expected,
            "\(path) is stale: CONTINUITY_WRITE_DEFINITIONS=1 swift test --filter LuaDefinitions")
    }

    @Test("every operation is described, with what it is answered in a drill")
    func complete() {
        let text = LuaDefinitions.text()
        for operation in CapabilityCatalogue.operations {
            let name = operation.name.split(separator: ".").last.map(String.init) ?? ""
            #expect(text.contains("---@field \(name) fun("), "\(operation.name)")
            #expect(!operation.documentation.isEmpty)
        }
    }

    @Test("the classes of ctx have the members that the core writes")
    func members() throws {
        func check(
            _ name: String, _ value: some Encodable, _ line: SourceLocation = #_sourceLocation
        )
            throws
        {
            let described = try #require(LuaDefinitions.classes.first { $0.name == name }).fields
                .map { $0.prefix { $0 != " " && $0 != "?" } }
            let count = Mirror(reflecting: value).children.count
            #expect(described.count == count, "continuity.\(name)", sourceLocation: line)
            for key in try #require(try JSONValue(encoding: value).object).keys {
                #expect(
                    described.contains(key[...]), "continuity.\(name).\(key)", sourceLocation: line)
            }
        }
        let action = PlannedAction(action: .demote, nodeID: "a", estimatedMs: 1)
        let deduction = Verification.Deduction(check: .warning, evidence: "x")
        try check(
            "Service",
            ServiceReport(
                state: .running, role: .primary, positionBytes: 1, lagMs: 1, isFenced: true,
                isSynchronous: true))
        try check("PlannedAction", action)
        try check("Deduction", deduction)
        try check("Verification", Verification(deductions: [deduction]))
        try check("TargetScores", TargetScores(pack: "p", scores: [:]))
        try check("NodeWeight", NodeWeight(nodeID: "a", weight: 1))
        try check("PassedOver", PassedOver(nodeID: "a", reason: "x"))
        try check(
            "Plan",
            Plan(
                clusterID: "c", policyID: "p", kind: .failover, triggerReason: "x",
                primaryNodeID: "a", failoverTargetID: "b", actions: [action],
                maxFailoverTimeMs: 1, targetScores: [TargetScores(pack: "p", scores: [:])],
                passedOver: [PassedOver(nodeID: "a", reason: "x")],
                weights: [NodeWeight(nodeID: "a", weight: 1)], shedPermille: 0,
                digest: ContentDigest { _ in [] }))
    }
}
