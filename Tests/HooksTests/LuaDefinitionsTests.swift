import ContinuityHooks
import Foundation
import Testing

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
}
