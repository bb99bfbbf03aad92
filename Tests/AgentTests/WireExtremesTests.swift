import ContinuityCore
import ContinuityHTTP
import ContinuityNode
import Foundation
import Testing

@testable import ContinuityAgent

/// A real agent is sent the extremes of every whole number: it refuses what cannot be, and goes on.
@Suite(.serialized) struct WireExtremesTests {
    /// As they stand in JSON: some are beyond 64 bits, and one is no number at all.
    private static let extremes = [
        "-9223372036854775808", "-9223372036854775807", "-1", "0", "1", "9007199254740991",
        "9007199254740992", "9223372036854775806", "9223372036854775807", "9223372036854775808",
        "-9223372036854775809", "1e400", "0.5", "\"1\"",
    ]

    private func send(
        _ harness: Harness, _ path: String, _ body: String
    ) async throws -> HTTPResponse {
        try await harness.http.send(
            HTTPRequest(
                method: "POST", url: harness.url + path,
                headers: [
                    "Authorization": "Bearer \(FakeOrchestrator.token)",
                    "Content-Type": "application/json",
                ], body: Array(body.utf8), timeout: .seconds(30)))
    }

    private func isAlive(_ harness: Harness) async throws -> Bool {
        try await harness.get("/health").status == 200
    }

    /// The object with one member in another spelling.
    private func json(_ members: [(String, String)], _ name: String, _ value: String) -> String {
        let all = members.filter { $0.0 != name } + [(name, value)]
        return "{" + all.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }

    @Test(arguments: ["status", "prepare", "restart", "promote", "fence", "demote", "rejoin"])
    func ordersDoNotEndTheAgent(_ command: String) async throws {
        try await Harness.run { configuration, service in
            for name in [AgentCommand.Name.prepare, .restart, .rejoin] {
                configuration.commands[name] = CommandTemplate(
                    argv: ["/bin/true"], timeoutMs: 200)
            }
            for name in [AgentCommand.Name.promote, .demote] {
                configuration.commands[name]?.timeoutMs = 200
            }
        } body: { harness in
            try harness.service.say(.secondary)
            try await harness.service.start()
            let numbers = [
                "timeout_ms", "lease_ms", "not_after_ms", "denies_promises_ms", "epoch",
            ]
            for name in numbers {
                for (index, value) in Self.extremes.enumerated() {
                    // What may be is taken, and would be obeyed from then on.
                    if name == "epoch", Int64(value).map({ $0 >= 1 && $0 < 1 << 53 }) == true {
                        continue
                    }
                    // Nor is it waited a month for a promotion that does not come.
                    let isLong = Int64(value).map { $0 > 1000 && $0 <= WireBounds.durationMsMax }
                    if name == "timeout_ms", isLong == true { continue }
                    let body = json(
                        [
                            ("key", "\"\(command)-\(name)-\(index)\""),
                            ("cluster_id", "\"orders\""),
                            ("node_id", "\"n1\""), ("epoch", "1"), ("name", "\"\(command)\""),
                            ("timeout_ms", "300"), ("denies_promises_to", "\"n2\""),
                        ], name, value)
                    let answer = try await send(harness, "/v1/commands", body)
                    #expect([200, 400].contains(answer.status), "\(body): \(answer.status)")
                    if Int64(value).map({ $0 > 2 * WireBounds.integerMax }) ?? true {
                        #expect(answer.status == 400, "\(body)")
                    }
                }
                #expect(try await isAlive(harness))
            }
            let order = try await harness.order(.status)
            #expect(order.service != nil, "it goes on")
            try await harness.reported("what it sees") { $0.service.state != .unknown }
        }
    }

    @Test func requestsForPromisesDoNotEndTheAgent() async throws {
        try await Harness.run { harness in
            for name in ["promise_ms", "epoch", "needed"] {
                for value in Self.extremes {
                    let body = json(
                        [
                            ("cluster_id", "\"orders\""), ("node_id", "\"n2\""), ("epoch", "1"),
                            ("promise_ms", "100"), ("voters", "[\"n1\",\"n2\"]"), ("needed", "1"),
                        ], name, value)
                    if name == "epoch", Int64(value).map({ $0 >= 1 && $0 < 1 << 53 }) == true {
                        continue
                    }
                    let answer = try await send(harness, "/v1/promises", body)
                    #expect([200, 400].contains(answer.status), "\(body): \(answer.status)")
                    if Int64(value).map({ !(0..<1 << 53).contains($0) }) ?? true {
                        #expect(answer.status == 400, "\(body)")
                    }
                }
            }
            #expect(try await isAlive(harness))
        }
    }

    /// A server that answers nonsense costs the agent nothing but this answer.
    @Test func answersDoNotEndTheAgent() async throws {
        try await Harness.run { harness in
            try harness.service.say(.secondary)
            try await harness.service.start()
            try await harness.running(as: .secondary)
            let hash = "\"" + String(repeating: "a", count: 64) + "\""
            let plain: [(String, String)] = [
                ("epoch", "1"), ("interval_ms", "20"), ("jitter_permille", "100"),
                ("lease_ms", "1000"), ("peers", "[]"), ("clock_ms", "1000"),
                ("promise_limit_ms", "1000"),
            ]
            func refused(_ text: String) async throws {
                harness.orchestrator.answer(text: text)
                let before = harness.orchestrator.last?.sequence ?? 0
                // Twice more: the first may have been sent before.
                try await harness.reported("two more after \(text)") { $0.sequence >= before + 3 }
            }
            for name in plain.map(\.0) where name != "peers" {
                for value in Self.extremes {
                    if name == "epoch", Int64(value).map({ $0 >= 1 && $0 < 1 << 53 }) == true {
                        continue
                    }
                    try await refused(json(plain, name, value))
                }
                #expect(try await isAlive(harness), "\(name)")
            }
            for value in Self.extremes {
                try await refused(
                    json(plain, "promise_rule", "{\"voters\":[\"n1\",\"n2\"],\"needed\":\(value)}"))
                let checkpoint =
                    "{\"seq\":\(value),\"hash\":\(hash),\"key_id\":\"0123456789abcdef\","
                    + "\"signature\":\"" + String(repeating: "b", count: 128) + "\"}"
                try await refused(json(plain, "checkpoint", checkpoint))
            }
            harness.orchestrator.answer(text: nil)
            harness.orchestrator.answer { $0.epoch = 2 }
            // It hears a sane answer again, as ever.
            try await harness.reported("the new epoch") { $0.highestEpoch == 2 }
            #expect(harness.orchestrator.last?.service.state == .running)
            #expect(harness.service.log.isEmpty, "nothing was stopped")
        }
    }

    /// Readers differ on them, and arguments of programs are made of such texts.
    @Test func whatReadersTakeDifferentlyIsRefused() async throws {
        try await Harness.run { configuration, service in
            configuration.commands[.rejoin] = CommandTemplate(
                argv: [
                    "/bin/sh", "-c", "echo \"$0\" >> '\(service.logFile)'", "{primary_address}",
                ],
                timeoutMs: 10_000)
        } body: { harness in
            try await harness.service.start()
            func order(_ members: String) -> String {
                #"{"cluster_id":"orders","node_id":"n1","name":"rejoin","epoch":1,"#
                    + #""timeout_ms":1000,"primary_node_id":"n2",\#(members)}"#
            }
            let bad = [
                order(#""key":"a","primary_address":"db:1","key":"b""#),
                order(#""key":"a","primary_address":"db:1","epoch":2"#),
                order(#""key":"a","primary_address":"-oProxyCommand=x""#),
                order(#""key":"a","primary_address":"db:1\u0000 -x""#),
                order(#""key":"a","primary_address":"db:1\n-x""#),
                order(#""key":"","primary_address":"db:1""#),
            ]
            for body in bad {
                let answer = try await send(harness, "/v1/commands", body)
                #expect(answer.status == 400, "\(body)")
            }
            #expect(harness.service.log.isEmpty)
        }
    }
}
