import ContinuityCore
import Foundation
import Testing

/// What the chain's verifier takes for a redaction.
@Suite struct RedactionProofTests {
    private struct Chain {
        var entries: [JournalEntry] = []

        var head: JournalHead {
            entries.last.map { JournalHead(seq: $0.seq, hash: $0.hash) } ?? .empty
        }

        mutating func add(_ body: JournalBody, salt: Bool = true) {
            entries.append(
                JournalEntry(
                    after: head, epoch: 1, atMs: 1, actor: "x", clusterID: nil, kind: body.kind,
                    body: body.bytes(),
                    salt: salt ? String(repeating: "ab", count: 16) : nil, digest: .real))
        }

        func verify() throws(JournalFault) -> [RedactedEntry] {
            var verifier = ChainVerifier(digest: .real)
            for entry in entries { try verifier.check(entry) }
            try verifier.finish()
            return verifier.redacted
        }
    }

    private static func dead(_ reason: String) -> JournalBody {
        .alertDead(AlertDead(alertID: "alert-1", channel: "c", attempts: 1, reason: reason))
    }

    /// - Parameter isCommitted: as this version writes it, or as an earlier one did.
    private func makeChain(isCommitted: Bool = true) -> Chain {
        var chain = Chain()
        let format = isCommitted ? LeadershipStarted.committedFormat : nil
        chain.add(
            .leadershipStarted(LeadershipStarted(instanceID: "i", bodyFormat: format)),
            salt: isCommitted)
        chain.add(Self.dead("words"), salt: isCommitted)
        return chain
    }

    private func makeOrder(
        _ chain: Chain, _ body: [UInt8], parts: [String: String]?, fields: [String] = ["reason"]
    ) -> JournalBody {
        .entryRedacted(
            EntryRedacted(
                seq: 2, fields: fields, originalSHA256: chain.entries[1].bodySHA256,
                redactedSHA256: ContentDigest.real.hex(body), reason: "r", parts: parts))
    }

    @Test func aRedactionOfACommittedBodyIsProven() throws {
        var chain = makeChain()
        let result = try Redaction.redact(chain.entries[1], fields: ["reason"], digest: .real)
        #expect(result.fields == ["reason"])
        #expect(result.parts?.keys.sorted() == ["/reason"])
        let order = makeOrder(chain, result.body, parts: result.parts)
        chain.entries[1].body = result.body
        #expect(throws: JournalFault.self, "no entry orders it") { try chain.verify() }
        chain.add(order)
        let redacted = try chain.verify()
        #expect(redacted.map(\.seq) == [2])
        #expect(redacted.map(\.isProven) == [true])
    }

    /// The attack: another body, and an entry that calls it a redaction.
    @Test func anotherBodyIsNoRedactionWhateverAnEntrySays() throws {
        let forged = [
            Self.dead("forged"), Self.dead("[redacted]"),
            .alertDead(
                AlertDead(alertID: "alert-2", channel: "c", attempts: 1, reason: "[redacted]")),
        ]
        for body in forged.map({ $0.bytes() }) {
            for parts in [nil, ["/reason": String(repeating: "0", count: 64)]] {
                var chain = makeChain()
                let order = makeOrder(chain, body, parts: parts)
                chain.entries[1].body = body
                chain.add(order)
                let fault = #expect(throws: JournalFault.self) { try chain.verify() }
                #expect(fault?.seq == 2)
            }
        }
    }

    /// What an earlier version redacted is told from what is proven: only a signature speaks for it.
    @Test func anEarlierVersionsRedactionIsReadAndNotProven() throws {
        func verified(_ body: JournalBody, fields: [String] = ["reason"]) throws -> [RedactedEntry]
        {
            var chain = makeChain(isCommitted: false)
            let order = makeOrder(chain, body.bytes(), parts: nil, fields: fields)
            chain.entries[1].body = body.bytes()
            chain.add(order, salt: false)
            return try chain.verify()
        }
        let redacted = try verified(Self.dead("[redacted]"))
        #expect(redacted.map(\.isProven) == [false])
        #expect(redacted.map(\.isOfEarlierFormat) == [true])
        // The named fields must be the withheld ones, and the original the one of the header.
        #expect(throws: JournalFault.self) { try verified(Self.dead("forged")) }
        #expect(throws: JournalFault.self) {
            try verified(Self.dead("[redacted]"), fields: ["detail"])
        }
        #expect(throws: JournalFault.self) { try verified(Self.dead("[redacted]"), fields: []) }
        var chain = makeChain(isCommitted: false)
        let body = Self.dead("[redacted]").bytes()
        var order = EntryRedacted(
            seq: 2, fields: ["reason"], originalSHA256: String(repeating: "0", count: 64),
            redactedSHA256: ContentDigest.real.hex(body), reason: "r")
        chain.entries[1].body = body
        chain.add(.entryRedacted(order), salt: false)
        #expect(throws: JournalFault.self) { try chain.verify() }
        order.originalSHA256 = chain.entries[1].bodySHA256
        chain.add(.entryRedacted(order), salt: false)
        #expect(try chain.verify().map(\.seq) == [2])
    }

    @Test func theListOfKindsIsThatOfTheReader() throws {
        let source = try String(
            contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appending(path: "../../Sources/ContinuityCore/Journal/JournalBody.swift"),
            encoding: .utf8)
        let read = source.matches(of: #/case "([a-z_]+)": return/#).map { String($0.output.1) }
        #expect(read.count > 40)
        #expect(JournalBody.kinds.sorted() == read.sorted())
    }
}
