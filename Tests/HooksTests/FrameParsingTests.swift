import ContinuityCore
import Foundation
import Testing

@testable import ContinuityHooks

/// What a worker sends is read like any JSON of the project's, only faster.
@Suite struct FrameParsingTests {
    private static let texts = [
        "null", "true", "false", "0", "1", "-5", "2.0", "1e3", "9223372036854775807",
        "9223372036854775808", "-9223372036854775808", "1.5", "\"\"", "\"\\u0000é\\ud83d\\ude00\"",
        "[]", "[true,1,0,false,\"1\",null]", "{}", #"{"a":{"b":[1,{"c":true}]},"d":0}"#,
        #"{"done":{"status":"ok","value":{"verdict":"allow"},"cpu_us":1}}"#,
        "", " ", "{", "[1,]", "{\"a\"}", "1 2", "nul", "\"\\ud800\"", "[1e400]", "\u{FEFF}1 x",
        String(repeating: "[", count: 600),
    ]

    @Test("the same values and the same refusals as JSONDecoder", arguments: texts)
    func likeDecoder(_ text: String) {
        let expected = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect((try? JSONValue(parsing: Array(text.utf8))) == expected)
    }
}
