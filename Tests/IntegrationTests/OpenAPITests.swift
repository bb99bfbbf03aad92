import ContinuityAPI
import ContinuityCore
import Foundation
import Testing

/// The document of the interface is whole, and its examples are what the types say.
/// `scripts/test-api` holds the answers of a real server to it.
struct OpenAPITests {
    @Test func everyOperationStandsInItOnce() throws {
        let paths = try #require(OpenAPIDocument.json["paths"]?.object)
        var found: [String] = []
        for (path, methods) in paths {
            for (method, operation) in try #require(methods.object) {
                let id = try #require(operation["operationId"]?.string)
                let declared = try #require(APIOperation(rawValue: id))
                #expect(declared.rule.path == path)
                #expect(declared.rule.method == method.uppercased())
                #expect(operation["summary"]?.string?.isEmpty == false)
                found.append(id)
            }
        }
        #expect(found.sorted() == APIOperation.allCases.map(\.rawValue).sorted())
    }

    @Test func everyPathParameterIsDescribed() {
        for operation in APIOperation.allCases {
            let named = operation.rule.path.matches(of: #/\{([a-z_]+)\}/#)
                .map { String($0.output.1) }
            let described = operation.parameters.filter { $0.place == .path }.map(\.name)
            #expect(named == described, "\(operation)")
        }
    }

    @Test func everyExampleIsOfItsSchema() throws {
        for operation in APIOperation.allCases {
            let description = operation.description
            #expect(!description.answers.isEmpty, "\(operation)")
            if let body = description.body {
                #expect(throws: Never.self, "\(operation)") {
                    try body.schema.check(JSONTree(body.example))
                }
            }
            for parameter in operation.parameters {
                #expect(throws: Never.self, "\(operation) \(parameter.name)") {
                    try parameter.schema.check(JSONTree(parameter.example))
                }
            }
            for answer in description.answers {
                guard let schema = answer.schema else { continue }
                #expect(throws: Never.self, "\(operation) \(answer.status)") {
                    try schema.check(JSONTree(answer.example))
                }
            }
            for refusal in operation.refusals {
                #expect((400...599).contains(refusal.status))
                #expect(!refusal.detail.isEmpty)
            }
        }
    }

    /// What an example says survives its type: no field is invented, none has another name.
    @Test func examplesAreWhatTheTypesEncode() throws {
        func same<Value: Codable>(_ type: Value.Type, _ operation: APIOperation) throws {
            let example = operation.description.answers[0].example
            let value = try JSONDecoder().decode(
                type, from: Data(CanonicalJSON.bytes(example)))
            #expect(try JSONValue(encoding: value) == example, "\(operation)")
        }
        try same(StatusReport.self, .status)
        try same(BrakeStatus.self, .brakeShow)
        try same(ScheduleList.self, .scheduleList)
        try same(DrillReport.self, .drillShow)
        try same(HookPacksChanged.self, .hooksReload)
        try same(ReportReply.self, .report)
        try same(ChainLinks.self, .links)
        let report = try #require(APIOperation.report.description.body?.example)
        let decoded = try JSONDecoder().decode(
            NodeReport.self, from: Data(CanonicalJSON.bytes(report)))
        #expect(try JSONValue(encoding: decoded) == report)
    }

    @Test func theCommandPrintsWhatIsServed() async throws {
        let printed = try await Programs.run("openapi")
        #expect(printed.exitCode == 0)
        #expect(printed.output == String(decoding: OpenAPIDocument.bytes, as: UTF8.self) + "\n")
    }

    @Test func aTypingErrorIsNamed() throws {
        let schema = try #require(APIOperation.failover.description.body).schema
        func fault(_ text: String) -> String {
            do {
                try schema.check(try JSONTree(parsing: Array(text.utf8)))
                return ""
            } catch {
                return "\(error)"
            }
        }
        #expect(fault(#"{"cluster_id":"orders"}"#).isEmpty)
        #expect(fault(#"{"clutser_id":"orders"}"#).hasPrefix("'clutser_id' is not known"))
        #expect(fault("{}") == "'cluster_id' is missing")
        #expect(fault(#"{"cluster_id":7}"#) == "'cluster_id' must be a text")
        #expect(fault(#"{"cluster_id":"a","reason":"\u0000"}"#).hasPrefix("'reason' must"))
        #expect(fault(#"{"cluster_id":"a","reason":"\u202e"}"#).hasPrefix("'reason' must"))
        #expect(fault(#"{"cluster_id":"a","cluster_id":"b"}"#).contains("stands twice"))
        #expect(fault(#"{"cluster_id":"\ud800"}"#).contains("surrogate"))
        #expect(fault("[1]") == "it must be an object")
        #expect(fault(#"{"cluster_id":"a"} x"#).contains("something follows"))
        #expect(fault(String(repeating: "[", count: 100_000)).contains("nested too deeply"))
        let long = String(repeating: "x", count: 501)
        #expect(fault(#"{"cluster_id":"a","reason":"\#(long)"}"#).contains("1 to 500"))
    }

    @Test(arguments: [
        ("60", true), ("60.0", true), ("6e1", true), ("60.5", false), ("1e400", false),
        ("9223372036854775808", false), ("-0", true), ("\"60\"", false), ("true", false),
        ("null", false),
    ]) func numbersAreWholeOnes(text: String, isTaken: Bool) throws {
        let schema = Schema.object([.init(name: "n", schema: .integer(0...100), isRequired: true)])
        let tree = try JSONTree(parsing: Array(#"{"n":\#(text)}"#.utf8))
        if isTaken {
            try schema.check(tree)
        } else {
            #expect(throws: SchemaViolation.self) { try schema.check(tree) }
        }
    }
}
