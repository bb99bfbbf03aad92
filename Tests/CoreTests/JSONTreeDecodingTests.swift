import ContinuityCore
import Foundation
import Testing

/// A body is read once: what was checked is what is decoded.
@Suite struct JSONTreeDecodingTests {
    private func decoded<Value: Decodable>(_ text: String, _ type: Value.Type) throws -> Value {
        try JSONTree(parsing: Array(text.utf8)).decode(type)
    }

    private func foundation<Value: Decodable>(_ text: String, _ type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    @Test func aReportIsWhatItWasBefore() throws {
        let report = NodeReport(
            clusterID: "demo", nodeID: "node-1", bootID: "boot", sequence: 7, highestEpoch: 3,
            instanceID: "serve",
            service: ServiceReport(
                state: .running, role: .primary, positionBytes: 1 << 40, lagMs: 5,
                streaming: true, detail: "a \"quoted\" é\n", isSynchronous: true),
            peers: ["node-2": .reachable, "node-3": .serviceOnly], clockMs: 12,
            witness: WitnessState(seq: 4, hash: "ab", alarm: nil), promiseRule: "1/a,b")
        let text = String(decoding: try CanonicalJSON.bytes(encoding: report), as: UTF8.self)
        #expect(try decoded(text, NodeReport.self) == report)
        #expect(try foundation(text, NodeReport.self) == report)
    }

    private struct Mixed: Codable, Hashable {
        enum Choice: String, Codable { case one, two }
        struct Inner: Codable, Hashable { var small: UInt8? }

        var flag: Bool
        var choice: Choice?
        var list: [Int64]
        var lists: [[String]]
        var table: [String: Inner]
        var anything: JSONValue?
        var share: Double
    }

    @Test(arguments: [
        #"{"flag":true,"list":[1,2],"lists":[["a"],[]],"table":{"x":{"small":255},"y":{}},"share":0.5}"#,
        #"{"flag":false,"choice":"two","list":[],"lists":[],"table":{},"anything":{"a":[null,1,"b",false]},"share":2}"#,
        #"{"flag":false,"choice":null,"list":[],"lists":[],"table":{},"anything":null,"share":1e3}"#,
    ])
    func itDecodesAsFoundationDoes(_ text: String) throws {
        #expect(try decoded(text, Mixed.self) == foundation(text, Mixed.self))
    }

    @Test(arguments: [
        (#"{"list":[],"lists":[],"table":{},"share":1}"#, "flag"),
        (#"{"flag":1,"list":[],"lists":[],"table":{},"share":1}"#, "flag"),
        (#"{"flag":null,"list":[],"lists":[],"table":{},"share":1}"#, "flag"),
        (#"{"flag":true,"list":[1.5],"lists":[],"table":{},"share":1}"#, "list"),
        (#"{"flag":true,"list":{},"lists":[],"table":{},"share":1}"#, "list"),
        (#"{"flag":true,"list":[],"lists":[],"table":{"x":{"small":256}},"share":1}"#, "table"),
        (#"{"flag":true,"list":[],"lists":[],"table":{},"share":1,"choice":"three"}"#, "choice"),
        (#"{"flag":true,"list":[],"lists":[],"table":{},"share":1,"anything":[0.5]}"#, "anything"),
    ])
    func whatDoesNotFitIsNamed(_ text: String, _ field: String) throws {
        do {
            _ = try decoded(text, Mixed.self)
            Issue.record("it is taken")
        } catch let error as DecodingError {
            let path: [String] =
                switch error {
                case .keyNotFound(let key, let context):
                    context.codingPath.map(\.stringValue) + [key.stringValue]
                case .typeMismatch(_, let context), .valueNotFound(_, let context),
                    .dataCorrupted(let context):
                    context.codingPath.map(\.stringValue)
                @unknown default: []
                }
            #expect(path.first == field)
        }
    }
}
