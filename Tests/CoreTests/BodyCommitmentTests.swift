import ContinuityCore
import Foundation
import Testing

/// A body can lose withholdable values, and never gain or change a word.
@Suite struct BodyCommitmentTests {
    private static let salt = "00112233445566778899aabbccddeeff"
    private static let value: JSONValue = [
        "reason": "asked by Erika", "count": 3,
        "evidence": ["a", "b"], "empty": ["reason": ""],
        "plan": ["reason": "part of a digest"],
        "nested": ["list": [["detail": ["k": "v"]], ["detail": "x"]], "requested_by": "ada"],
        "requested_by": ["node": "n"],
    ]

    private func entry(_ value: JSONValue = value, salt: String? = salt) -> JournalEntry {
        JournalEntry(
            after: .empty, epoch: 1, atMs: 0, actor: "a", clusterID: nil, kind: "test",
            body: CanonicalJSON.bytes(value), salt: salt, digest: .real)
    }

    private func parts(_ body: [UInt8], _ sha256: String) -> [BodyCommitment.Part]? {
        BodyCommitment.parts(of: body, sha256: sha256, digest: .real)
    }

    @Test func everyWithholdableValueIsCommittedByItself() throws {
        let sealed = entry()
        let found = try #require(parts(sealed.body, sealed.bodySHA256))
        #expect(
            found.map(\.pointer) == [
                "/evidence", "/nested/list/0/detail", "/nested/list/1/detail",
                "/nested/requested_by", "/reason",
            ])
        #expect(found.allSatisfy { !$0.isWithheld })
        #expect(Set(found.map(\.sha256)).count == found.count)
        let body = try JSONDecoder().decode(JSONValue.self, from: Data(sealed.body))
        guard case .object(var members) = body else { return #expect(Bool(false)) }
        members[BodyCommitment.member] = nil
        #expect(JSONValue.object(members) == Self.value)
        // Nothing to withhold: the plain digest says all.
        let plain = entry(["count": 1])
        #expect(plain.bodySHA256 == ContentDigest.real.hex(plain.body))
    }

    @Test func noByteOfABodyCanBeAnother() throws {
        let sealed = entry()
        let some = try withheld(sealed, "/reason", "/nested/list/0/detail")
        for body in [sealed.body, some] {
            #expect(parts(body, sealed.bodySHA256) != nil)
            for place in body.indices {
                for bit in 0..<8 {
                    var bytes = body
                    bytes[place] ^= 1 << UInt8(bit)
                    #expect(parts(bytes, sealed.bodySHA256) == nil, "byte \(place), bit \(bit)")
                }
                var longer = body
                longer.insert(UInt8(ascii: " "), at: place)
                #expect(parts(longer, sealed.bodySHA256) == nil, "a blank at \(place)")
            }
        }
    }

    /// What a redaction makes of the entry.
    private func withheld(_ entry: JournalEntry, _ pointers: String...) throws -> [UInt8] {
        let found = try #require(parts(entry.body, entry.bodySHA256))
        #expect(Set(pointers).isSubset(of: found.map(\.pointer)))
        return BodyCommitment.withholding(Set(pointers), of: found, in: entry.body)
    }

    @Test func withheldValuesAreGoneWithTheirSaltsAndTheRestIsProven() throws {
        let sealed = entry()
        let once = try withheld(sealed, "/reason")
        let text = String(decoding: once, as: UTF8.self)
        #expect(!text.contains("Erika") && !text.contains(Self.salt))
        var next = sealed
        next.body = once
        let twice = try withheld(next, "/evidence", "/nested/list/0/detail")
        let found = try #require(parts(twice, sealed.bodySHA256))
        #expect(
            found.filter(\.isWithheld).map(\.pointer)
                == ["/evidence", "/nested/list/0/detail", "/reason"])
        let all = try withheld(sealed, "/evidence", "/nested/list/0/detail", "/reason")
        #expect(all == twice)
    }

    /// Words cannot be put in the place of withheld ones, nor beside them.
    @Test func nothingCanBePutIn() throws {
        let sealed = entry()
        let body = String(decoding: try withheld(sealed, "/reason"), as: UTF8.self)
        for (from, to) in [
            (#""reason":"[redacted]""#, #""reason":"forged""#),
            (#""reason":"[redacted]""#, #""reason":["[redacted]"]"#),
            (#""reason":"[redacted]""#, #""extra":"forged","reason":"[redacted]""#),
            (#""count":3"#, #""count":4"#),
            (#""withheld":{"#, #""withheld":{"/forged":"words","#),
            (#""salts":{"#, #""more":{},"salts":{"#),
            (#""salts":{"#, #""salts":{"/forged":"words","#),
        ] {
            #expect(body.contains(from))
            let forged = Array(body.replacing(from, with: to).utf8)
            #expect(parts(forged, sealed.bodySHA256) == nil, "\(to)")
        }
    }
}
