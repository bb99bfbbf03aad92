import ContinuityCore
import Foundation
import Testing

@Suite(.serialized) struct EventTests {
    private struct Event {
        var id: Int64
        var kind: String
        var data: JSONValue?
    }

    /// What a reader gets who listens for a while, by the real curl.
    private func listen(
        _ fixture: ServeFixture, _ query: String = "", headers: [String] = [], seconds: Double = 1.5
    ) async throws -> (events: [Event], head: String) {
        let more = headers.flatMap { ["--header", $0] }
        let result = try await Tool.run(
            "curl",
            [
                "--silent", "--no-buffer", "--include", "--max-time", "\(seconds)", "--header",
                "Authorization: Bearer \(ServeFixture.token)",
            ] + more + ["http://127.0.0.1:\(fixture.port)/api/v1/continuity/events\(query)"])
        let text = result.output.replacing("\r\n", with: "\n")
        let events = text.components(separatedBy: "\n\n").compactMap { block -> Event? in
            var fields: [String: String] = [:]
            for line in block.split(separator: "\n") {
                guard let colon = line.firstRange(of: ": ") else { continue }
                fields[String(line[..<colon.lowerBound])] = String(line[colon.upperBound...])
            }
            guard let id = fields["id"].flatMap({ Int64($0) }), let kind = fields["event"] else {
                return nil
            }
            let data = fields["data"].map { Data($0.utf8) }
            return Event(
                id: id, kind: kind,
                data: data.flatMap { try? JSONDecoder().decode(JSONValue.self, from: $0) })
        }
        return (events, text)
    }

    @Test func aReaderGoesOnWhereItWasCutOff() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\nstrategy: manual\n")
        try await fixture.start()
        try await fixture.report(primary: .running)
        let first = try await listen(fixture, "?after=0")
        #expect(first.head.contains("text/event-stream"))
        let all = try await fixture.entries()
        #expect(first.events.map(\.id) == Array(1...Int64(first.events.count)), "no gap")
        #expect(first.events.count >= 3)
        for (event, entry) in zip(first.events, all) {
            #expect(event.data == entry)
            #expect(event.kind == entry["kind"]?.string)
        }
        let middle = first.events[1].id
        let rest = try await listen(fixture, headers: ["Last-Event-ID: \(middle)"])
        #expect(rest.events.first?.id == middle + 1)
        // A server that was killed has forgotten nobody's place.
        fixture.kill()
        try await fixture.start()
        let later = try await listen(
            fixture, headers: ["Last-Event-ID: \(first.events.last?.id ?? 0)"])
        #expect(later.events.first?.id == (first.events.last?.id ?? 0) + 1)
        #expect(later.events.contains { $0.kind == "leadership_started" })
    }

    @Test func whatHappensIsToldAtOnce() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\nstrategy: manual\n")
        try await fixture.start()
        async let heard = listen(fixture, seconds: 3)
        _ = try await eventually("the reader listens") {
            let metrics = try await Tool.curl([
                "--header", "Authorization: Bearer \(ServeFixture.token)",
                "http://127.0.0.1:\(fixture.port)/metrics",
            ]).output
            return metrics.contains(#"requests_total{operation="events""#) ? true : nil
        }
        let reply = try await fixture.send(
            "POST", "pause",
            body: Array(#"{"cluster_id":"demo","reason":"test","duration_s":60}"#.utf8))
        #expect(reply.status == 200, "\(reply.json)")
        #expect(try await heard.events.map(\.kind).contains("pause_started"))
    }

    @Test func aWrongPlaceIsRefused() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\nstrategy: manual\n")
        try await fixture.start()
        for headers in [["Last-Event-ID: -1"], ["Last-Event-ID: x"]] {
            #expect(try await listen(fixture, headers: headers).head.contains("400 Bad Request"))
        }
        #expect(try await listen(fixture, "?after=-1").head.contains("400 Bad Request"))
    }

    @Test func anOpenStreamDoesNotHoldUpTheEnd() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\nstrategy: manual\n")
        try await fixture.start()
        async let heard = listen(fixture, seconds: 10)
        _ = try await eventually("the reader listens") {
            let metrics = try await Tool.curl([
                "--header", "Authorization: Bearer \(ServeFixture.token)",
                "http://127.0.0.1:\(fixture.port)/metrics",
            ]).output
            return metrics.contains(#"requests_total{operation="events""#) ? true : nil
        }
        let start = ContinuousClock.now
        #expect(fixture.terminate() == 0)
        #expect(ContinuousClock.now - start < .seconds(8))
        _ = try await heard
    }
}
