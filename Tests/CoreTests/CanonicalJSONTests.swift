import ContinuityCore
import Testing

@Suite struct CanonicalJSONTests {
    @Test func sortsKeysByUTF16AndEscapesOnlyWhatTheRFCNames() {
        let value: JSONValue = [
            "\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6,
            "\u{f6}": "\u{1}\"\\\u{8}\t\n\u{c}\r/é",
        ]
        let text = String(decoding: CanonicalJSON.bytes(value), as: UTF8.self)
        // The order of RFC 8785 section 3.2.3.
        #expect(
            text == #"{"\r":2,"1":4,""# + "\u{80}" + #"":6,"ö":"\u0001\"\\\b\t\n\f\r/é","€":1,""#
                + "\u{1f600}" + #"":5,""# + "\u{fb33}" + #"":3}"#)
    }

    @Test(arguments: [0, 1, -1, 9, 10, Int64.max, Int64.min])
    func writesIntegersExactly(_ number: Int64) {
        #expect(String(decoding: CanonicalJSON.bytes(.int(number)), as: UTF8.self) == "\(number)")
    }

    @Test func refusesFractions() {
        #expect(throws: EncodingError.self) { try CanonicalJSON.bytes(encoding: ["a": 0.5]) }
        #expect(throws: EncodingError.self) { try CanonicalJSON.bytes(encoding: [UInt64.max]) }
    }

    @Test func encodesNestedCodables() throws {
        let cluster = sampleCluster()
        let bytes = try CanonicalJSON.bytes(encoding: cluster)
        let tree = try JSONValue(encoding: cluster)
        #expect(CanonicalJSON.bytes(tree) == bytes)
        #expect(tree["nodes"]?.array?.count == 3)
    }
}
