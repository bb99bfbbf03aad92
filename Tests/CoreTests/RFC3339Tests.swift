import ContinuityConfig
import Testing

@testable import ContinuityCore

@Suite("Times as people write them")
struct RFC3339Tests {
    @Test(
        "what exists is read exactly",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-12-24T00:00:00Z", 1_798_070_400_000),
            ("2026-12-24T01:00:00+01:00", 1_798_070_400_000),
            ("2026-12-23T18:30:00.000-05:30", 1_798_070_400_000),
            ("2024-02-29T23:59:59.999Z", 1_709_251_199_999),
            ("2000-02-29t00:00:00z", 951_782_400_000),
            ("2026-01-01T00:00:00.5Z", 1_767_225_600_500),
            ("2026-01-01T00:00:00.0019999Z", 1_767_225_600_001),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000), ("1969-12-31T23:59:59Z", -1000),
            ("0000-03-01T00:00:00Z", -62_162_035_200_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ] as [(String, Int64)])
    func good(text: String, ms: Int64) { #expect(RFC3339.utcMs(text) == ms) }

    @Test("what is written is read as the same time")
    func written() {
        #expect(RFC3339.text(utcMs: 1_798_070_400_000) == "2026-12-24T00:00:00.000Z")
        #expect(RFC3339.text(utcMs: 1_709_251_199_999) == "2024-02-29T23:59:59.999Z")
        #expect(RFC3339.text(utcMs: .max) == "9999-12-31T23:59:59.999Z")
        #expect(RFC3339.text(utcMs: .min) == "0000-01-01T00:00:00.000Z")
        // Days apart, through every month and the leap years of a cycle, before 1970 too.
        for step in -9000...9000 {
            let ms = Int64(step) * (17 * 86_400_000 + 12_345_678)
            #expect(RFC3339.utcMs(RFC3339.text(utcMs: ms)) == ms)
        }
    }

    static let wrong = [
        "2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z", "2026-12-24T25:30:00Z", "2026-12-24T24:00:00Z",
        "2026-12-24T00:60:00Z", "2026-12-24T00:00:61Z", "2026-12-24T00:00:00Z+01:00",
        "2026-12-24T00:00:00+01:75", "2026-12-24T00:00:00+24:00", "2026-12-24T00:00:00",
        "2026-12-24T00:00:00+0100", "2026-12-24T00:00:00+01", "2026-12-24 00:00:00Z",
        "2026-12-24", "26-12-24T00:00:00Z", "2026-12-24T00:00Z", "2026-12-24T00:00:00.Z",
        " 2026-12-24T00:00:00Z", "2026-12-24T00:00:00Z ", "２０２６-12-24T00:00:00Z", "", "now",
        "+2026-12-24T00:00:00Z", "2026-12-24T00:00:00,5Z",
    ]

    @Test("what does not exist, or is written another way, is refused", arguments: wrong)
    func bad(text: String) { #expect(RFC3339.utcMs(text) == nil) }

    @Test("a freeze window at such a time is refused with its line", arguments: wrong)
    func windows(text: String) throws {
        let cluster = try ClusterFile.read(
            ConfigReader.parse(
                text: "{cluster_id: c, nodes: [{node_id: a, role: primary}]}", file: "c.yaml"))
        let policy = """
            policy_id: p
            freeze_windows:
              - from: "\(text)"
                until: 2099-01-01T00:00:00Z
                reason: holidays
            """
        do {
            _ = try PolicyFile.read(ConfigReader.parse(text: policy, file: "p.yaml"), for: cluster)
            Issue.record("taken")
        } catch {
            #expect(error.line == 3, "\(error)")
            #expect(text.isEmpty || error.remedy.contains("RFC 3339"), "\(error)")
        }
    }
}
