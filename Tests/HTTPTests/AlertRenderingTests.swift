import ContinuityConfig
import ContinuityCore
import ContinuityHTTP
import Testing

@testable import ContinuityAlerts

@Suite struct AlertRenderingTests {
    @Test func anAlertIsAStructuredCloudEvent() {
        let alert = Alert(
            alertID: "alert-1", type: "continuity.run.committed", severity: .critical,
            clusterID: "orders/eu", subject: "run-1", summary: "moved \"orders\"",
            atMs: 1_614_265_330_007,
            data: ["to": "b", "severity": "info", "took_ms": 812])
        #expect(
            String(decoding: CloudEvent.bytes(alert), as: UTF8.self)
                == #"{"data":{"severity":"critical","summary":"moved \"orders\"","to":"b","#
                + #""took_ms":812},"datacontenttype":"application/json","id":"alert-1","#
                + #""source":"/continuity/orders%2Feu","specversion":"1.0","subject":"run-1","#
                + #""time":"2021-02-25T15:02:10.007Z","type":"continuity.run.committed"}"#)
    }

    @Test func emptySubjectsAreLeftOutAndScalarsStandUnderDetails() {
        let alert = Alert(
            alertID: "a", type: "t", severity: .info, clusterID: "c", subject: "", summary: "s",
            atMs: 0, data: [1, 2])
        let event = CloudEvent.json(alert)
        #expect(event["subject"] == nil)
        #expect(event["data"] == ["severity": "info", "summary": "s", "details": [1, 2]])
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_123, "2000-02-29T00:00:00.123Z"),
        (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
    ])
    func timesAreExactToTheMillisecond(milliseconds: Int64, text: String) {
        #expect(CloudEvent.utcText(milliseconds) == text)
    }

    @Test func backoffDoublesUpToItsCapWithFullJitter() {
        let schedule = RetrySchedule()
        let highest = (1...100).map {
            schedule.delay(afterAttempt: $0, retryAfterMs: nil, random: \.upperBound)
        }
        #expect(highest.prefix(3) == [.milliseconds(200), .milliseconds(400), .milliseconds(800)])
        #expect(highest.last == .seconds(60))
        #expect(highest.allSatisfy { $0 <= .seconds(60) })
        #expect(
            schedule.delay(afterAttempt: 9, retryAfterMs: nil, random: \.lowerBound) == .zero)
        #expect(
            schedule.delay(afterAttempt: 1, retryAfterMs: 7000, random: \.upperBound)
                == .seconds(7))
        #expect(
            schedule.delay(afterAttempt: 1, retryAfterMs: .max, random: \.upperBound)
                == .seconds(3600))
    }

    @Test func retryAfterIsReadAsSecondsOrDate() {
        let now: Int64 = 784_111_770
        #expect(RetrySchedule.retryAfterMs("120", nowSeconds: now) == 120_000)
        #expect(
            RetrySchedule.retryAfterMs("Sun, 06 Nov 1994 08:49:37 GMT", nowSeconds: now) == 7000)
        for text in [
            "", "soon", "-1", "Sun, 06 Nov 1994 08:49 GMT", "Sat, 05 Nov 1994 08:49:37 GMT",
        ] {
            #expect(RetrySchedule.retryAfterMs(text, nowSeconds: now) == nil)
        }
        #expect(RetrySchedule.retryAfterMs("9223372036854775807", nowSeconds: now) != nil)
    }

    @Test func channelsAreReadStrictly() throws {
        let reader = try ConfigReader.parse(
            text: """
                alerts:
                  - name: oncall
                    url: https://alerts.example.com/hook
                    secret_file: keys/oncall
                    headers: {x-team: platform}
                  - {name: chat, url: "http://127.0.0.1:9", secret_file: /k, timeout_ms: 9, max_attempts: 2}
                """, file: "/etc/continuity/server.yaml")
        let channels = try AlertChannelConfiguration.loadList(from: reader)
        try reader.finish()
        #expect(
            channels == [
                .init(
                    name: "oncall", url: "https://alerts.example.com/hook",
                    secretFile: "/etc/continuity/keys/oncall", timeoutMs: 5000, maxAttempts: 20,
                    headers: ["x-team": "platform"]),
                .init(
                    name: "chat", url: "http://127.0.0.1:9", secretFile: "/k", timeoutMs: 9,
                    maxAttempts: 2, headers: [:]),
            ])
    }

    @Test(arguments: [
        ("{name: a, url: 'http://h', secret_file: s, retries: 3}", "unknown field"),
        ("{name: a, url: 'http://h'}", "secret_file"),
        ("{name: a, url: 'ftp://h', secret_file: s}", "http://"),
        ("{name: a, url: 'http://h', secret_file: s, timeout_ms: 0}", "timeout_ms"),
        ("{name: a, url: 'http://h', secret_file: s, max_attempts: 0}", "max_attempts"),
        ("{name: a, url: 'http://h', secret_file: s, headers: {Webhook-Id: x}}", "set by"),
        ("{name: a, url: 'http://h', secret_file: s, headers: {'a b': x}}", "token"),
        ("{name: a, url: 'http://h', secret_file: s, ca_file: x.pem}", "for https"),
        ("{name: a, url: 'https://h', secret_file: s, ca_file: /no/such.pem}", "/no/such.pem"),
        ("{name: a, url: 'https://h', secret_file: s, ca_file: /etc/passwd}", "no certificate"),
    ])
    func mistakesInAChannelAreNamed(yaml: String, message: String) throws {
        let reader = try ConfigReader.parse(text: yaml, file: "server.yaml")
        let error = #expect(throws: ConfigError.self) {
            try AlertChannelConfiguration.load(from: reader)
        }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }
}
