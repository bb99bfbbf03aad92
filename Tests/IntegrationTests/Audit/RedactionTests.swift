import ContinuityCore
import Foundation
import GRDB
import Testing

/// Personal data goes, the proof stays.
@Suite(.serialized) struct RedactionTests {
    private static let person = "Erika Mustermann, 0171-5550100"

    @Test func personalDataIsWithheldAndTheChainAndTheServerGoOn() async throws {
        let fixture = try await AuditFixture()
        let serve = fixture.serve
        try await serve.start()
        try await serve.report(primary: .running)
        let order = CanonicalJSON.bytes([
            "cluster_id": "demo", "reason": .string("asked by \(Self.person)"),
            "requested_by": "on-call",
        ])
        _ = try await serve.send("POST", "failover", body: order)
        let requested = try await eventually("the request is journaled") {
            try await serve.entries().first { entry in
                String(decoding: CanonicalJSON.bytes(entry), as: UTF8.self).contains(Self.person)
            }
        }
        let seq = try #require(requested["seq"]?.int)
        func redact(_ extra: String...) async throws -> Programs.Result {
            try await Programs.run(
                [
                    "audit", "redact", "--journal", fixture.journal, "--reason",
                    "erasure request 17", "--by", "data-protection", "--key", fixture.key,
                ] + extra)
        }
        let busy = try await redact("--seq", "\(seq)")
        #expect(busy.exitCode == 65 && busy.errors.contains("in use"), "\(busy.errors)")
        let before = try fixture.finish()
        try fixture.writeWitness(try fixture.checkpoints(before))

        let needed = try await redact("--seq", "\(seq)", "--field", "node_id")
        #expect(needed.exitCode == 3, "\(needed.errors)")
        #expect(needed.errors.contains("'node_id' is no field that can be withheld"))
        let unsigned = try await Programs.run(
            "audit", "redact", "--journal", fixture.journal, "--reason", "r", "--by", "b", "--seq",
            "\(seq)")
        #expect(unsigned.exitCode == 65 && unsigned.errors.contains("give --key"))
        let done = try await redact("--older-than-days", "0")
        #expect(done.exitCode == 0, "\(done.errors)")
        for file in ["", "-wal"] {
            let bytes = FileManager.default.contents(atPath: fixture.journal + file) ?? Data()
            #expect(bytes.range(of: Data(Self.person.utf8)) == nil)
        }
        let verified = try await fixture.verify(fixture.journal, witness: true)
        #expect(verified.exitCode == 0, "\(verified.errors)")
        #expect(verified.output.contains("entry \(seq): values are withheld, and the rest"))
        let after = try JournalTampering.entries(fixture.journal)
        #expect(after.prefix(before.count).map(\.hash) == before.map(\.hash))
        let redaction = try #require(after.last { $0.kind == "entry_redacted" })
        #expect(redaction.actor == "data-protection")
        #expect(String(decoding: redaction.body, as: UTF8.self).contains("erasure request 17"))

        // The server starts from it and goes on.
        try await serve.start()
        try await fixture.decide(1)
        let end = try fixture.finish()
        #expect(end.count > after.count)
        #expect(try await fixture.verify(fixture.journal, witness: true).exitCode == 0)

        // Only what an entry explains may be missing: one word more, and it is found.
        try JournalTampering.execute(fixture.journal) { db in
            try db.execute(
                sql:
                    "UPDATE journal SET body = CAST(replace(body, '[redacted]', '[redacted!]') AS BLOB) "
                    + "WHERE seq = \(seq)")
        }
        let changed = try await fixture.verify(fixture.journal)
        #expect(changed.exitCode == 65)
    }

    /// The body of a token's entry is replaced, and an entry calls that a redaction.
    @Test func aForgedRedactionIsFoundAndServeDoesNotStartFromIt() async throws {
        let fixture = try await AuditFixture()
        try await fixture.serve.start()
        try await fixture.decide(3)
        let entries = try fixture.finish()
        #expect(try await fixture.verify(fixture.journal).exitCode == 0)
        let victim = try #require(
            entries.first {
                $0.kind == "alert_queued" && BodyCommitment.isCommitted($0.body)
            })
        let started = try #require(entries.first { $0.kind == "cluster_configured" })
        for target in [victim, started] {
            let text = String(decoding: target.body, as: UTF8.self)
            let body = Array(text.replacing("demo", with: "evil").utf8)
            #expect(body != target.body)
            let last = try #require(entries.last)
            let order = JournalBody.entryRedacted(
                EntryRedacted(
                    seq: target.seq, fields: ["reason"], originalSHA256: target.bodySHA256,
                    redactedSHA256: JournalTampering.digest.hex(body), reason: "x"))
            let forged = JournalEntry(
                after: JournalHead(seq: last.seq, hash: last.hash), epoch: last.epoch,
                atMs: last.atMs, actor: "x", clusterID: nil, kind: order.kind,
                body: order.bytes(), digest: JournalTampering.digest)
            var changed = entries + [forged]
            changed[Int(target.seq) - 1].body = body
            try JournalTampering.replace(fixture.journal, with: changed)
            let found = try await fixture.verify(fixture.journal)
            #expect(found.exitCode == 65)
            #expect(found.errors.contains("at entry \(target.seq):"), "\(found.errors)")
            let refused = try await Programs.run("serve", "--config", fixture.serve.configFile)
            #expect(refused.exitCode == 65)
            #expect(refused.errors.contains("at entry \(target.seq):"), "\(refused.errors)")
            // Signing over it, as a server that believed it did, proves nothing either.
            let signed = try JournalTampering.signed(changed, key: fixture.privateKey())
            try JournalTampering.replace(fixture.journal, with: signed)
            #expect(try await fixture.verify(fixture.journal).exitCode == 65)
        }
    }

    /// As an earlier version wrote it: nothing but a signature speaks for what was redacted.
    @Test func anEarlierVersionsRedactionNeedsASignature() async throws {
        let fixture = try await AuditFixture()
        try await fixture.serve.start()
        try await fixture.decide(1)
        var entries = JournalTampering.ofEarlierFormat(try fixture.finish())
        entries = JournalTampering.rewritten(entries, key: try fixture.privateKey()) { _ in }
        let target = try #require(entries.first { $0.kind == "hold_changed" })
        var text = String(decoding: target.body, as: UTF8.self)
        text.replace(#/"evidence":"[^"]+"/#, with: #""evidence":"[redacted]""#)
        let body = Array(text.utf8)
        #expect(body != target.body)
        let last = try #require(entries.last)
        let order = JournalBody.entryRedacted(
            EntryRedacted(
                seq: target.seq, fields: ["evidence"], originalSHA256: target.bodySHA256,
                redactedSHA256: JournalTampering.digest.hex(body), reason: "x"))
        entries.append(
            JournalEntry(
                after: JournalHead(seq: last.seq, hash: last.hash), epoch: last.epoch,
                atMs: last.atMs, actor: "x", clusterID: nil, kind: order.kind,
                body: order.bytes(), digest: JournalTampering.digest))
        entries[Int(target.seq) - 1].body = body
        try JournalTampering.replace(fixture.journal, with: entries)
        let found = try await fixture.verify(fixture.journal)
        #expect(found.exitCode == 4, "\(found.errors)")
        #expect(found.errors.contains("nothing proves what stands there now"), "\(found.errors)")
        let refused = try await Programs.run("serve", "--config", fixture.serve.configFile)
        #expect(refused.exitCode == 65)
        #expect(refused.errors.contains("is not to be trusted"), "\(refused.errors)")
        func sign(_ more: String...) async throws -> Programs.Result {
            try await Programs.run(
                ["audit", "sign", "--journal", fixture.journal, "--key", fixture.key] + more)
        }
        #expect(try await sign().exitCode == 4)
        #expect(try await sign("--accept-unproven").exitCode == 0)
        let attested = try await fixture.verify(fixture.journal)
        #expect(attested.exitCode == 0, "\(attested.errors)")
        #expect(attested.output.contains("only the key's holder stands"), "\(attested.output)")
        try await fixture.serve.start()
        _ = try fixture.finish()
    }

    /// With TLS: `AccessReviewTests`.
    @Test func withoutTLSTheAccessReportSaysThatNamesAreClaimed() async throws {
        let fixture = try await AuditFixture()
        try await fixture.serve.start()
        try await fixture.serve.report(primary: .running)
        let order = CanonicalJSON.bytes([
            "cluster_id": "demo", "duration_s": .int(60), "owner": "ada", "reason": "test",
            "requested_by": "ada",
        ])
        #expect(try await fixture.serve.send("POST", "pause", body: order).status == 200)
        _ = try fixture.finish()
        let report = try await Programs.run(
            "audit", "access", "--config", fixture.serve.configFile)
        #expect(report.exitCode == 0, "\(report.errors)")
        #expect(report.output.contains("a name is what somebody says"))
        #expect(report.output.contains("pause_started 1"), "\(report.output)")
    }
}
