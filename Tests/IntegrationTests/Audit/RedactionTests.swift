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
                    "erasure request 17", "--by", "data-protection",
                ] + extra)
        }
        let busy = try await redact("--seq", "\(seq)")
        #expect(busy.exitCode == 65 && busy.errors.contains("in use"), "\(busy.errors)")
        let before = try fixture.finish()
        try fixture.writeWitness(try fixture.checkpoints(before))

        let needed = try await redact("--seq", "\(seq)", "--field", "node_id")
        #expect(needed.exitCode == 3, "\(needed.errors)")
        #expect(needed.errors.contains("'node_id' is no field that can be withheld"))
        let done = try await redact("--older-than-days", "0")
        #expect(done.exitCode == 0, "\(done.errors)")
        for file in ["", "-wal"] {
            let bytes = FileManager.default.contents(atPath: fixture.journal + file) ?? Data()
            #expect(bytes.range(of: Data(Self.person.utf8)) == nil)
        }
        let verified = try await fixture.verify(fixture.journal, witness: true)
        #expect(verified.exitCode == 0, "\(verified.errors)")
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
