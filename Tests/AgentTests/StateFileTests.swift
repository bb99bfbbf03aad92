import ContinuityNode
import Foundation
import Testing

@testable import ContinuityAgent

/// Files beside the state file: nobody else's file is written through a link that stands there.
@Suite struct StateFileTests {
    private let folder: String
    private let victim: String

    init() throws {
        folder = NSTemporaryDirectory() + "state-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        victim = folder + "/victim"
        try "precious".write(toFile: victim, atomically: true, encoding: .utf8)
    }

    private func plant(_ name: String) throws -> String {
        let path = folder + "/" + name
        try FileManager.default.createSymbolicLink(
            atPath: path, withDestinationPath: victim)
        return path
    }

    private var precious: String? { try? String(contentsOfFile: victim, encoding: .utf8) }

    @Test func theNewFileIsNeverWrittenThroughALink() throws {
        _ = try plant("agent.json.new")
        let path = folder + "/agent.json"
        let file = try StateFile(path: path)
        try file.saveNow(Ledger(), version: 1)
        #expect(precious == "precious")
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.type] as? FileAttributeType == .typeRegular)
        #expect(try file.load() == Ledger())
        // What a crash has left behind is in nobody's way.
        try "half".write(toFile: path + ".new", atomically: true, encoding: .utf8)
        try file.saveNow(Ledger(), version: 2)
        #expect(try file.load() == Ledger())
        try? FileManager.default.removeItem(atPath: folder)
    }

    @Test func aLinkInPlaceOfTheOthersIsRefused() throws {
        _ = try plant("locked.json.lock")
        #expect(throws: StateFileError.self) { try StateFile(path: folder + "/locked.json") }
        let lease = try plant("agent.json.lease")
        #expect(throws: StateFileError.self) {
            try LeaseFile(path: lease, kernelBootID: "boot", now: .now)
        }
        let witness = try plant("agent.json.witness")
        #expect(throws: StateFileError.self) { try WitnessLog.open(path: witness) }
        #expect(precious == "precious")
        try? FileManager.default.removeItem(atPath: folder)
    }
}
