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
        "", " ", "{", "{\"a\"}", "1 2", "nul", "\"\\ud800\"", "[1e400]", "\u{FEFF}1 x",
        String(repeating: "[", count: 600), deep(511), deep(600), " [ 1 , 2 ] ", "{ \"a\" : 1 }",
        "{,}", "[,]", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{1:2}", "\"", "\"\\",
        "\"\\u12",
        #""\u00e9\n\t\r\b\f\/\\\"""#, #""\x""#, #""\u12g4""#, #""\udc00\ud800""#, #""\ud83dx""#,
        #""\ud83d\u0041""#, "\"a\nb\"", "01", "-", "-0", "+1", "1.", ".5", "1e", "1e+", "1E-0",
        "-01", "0x10", "NaN", "tru", "truex", "falsey", "[1 2]", "]", "\u{0}",
    ]

    private static func deep(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    @Test("the same values and the same refusals as JSONDecoder", arguments: texts)
    func likeDecoder(_ text: String) {
        let expected = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect((try? JSONValue(parsing: Array(text.utf8)[...])) == expected)
    }

    /// Foundation's parsers let these pass; RFC 8259 does not.
    @Test(
        "nothing but JSON",
        arguments: ["[1,]", "{\"a\":1,}", "[1,2,]", "1\u{0}", "{}\u{0}", "[1]\u{0}x"])
    func strict(_ text: String) {
        #expect(throws: JSONFault.self) { try JSONValue(parsing: Array(text.utf8)[...]) }
    }

    @Test(
        "a text that is not UTF-8 is refused",
        arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80]])
    func noUTF8(_ bytes: [UInt8]) {
        #expect(throws: JSONFault.self) { try JSONValue(parsing: ([0x22] + bytes + [0x22])[...]) }
    }

    @Test("of a slice, what is in it and nothing around it")
    func slice() throws {
        #expect(try JSONValue(parsing: Array("[1,23,4]".utf8)[3..<5]) == 23)
    }
}
