package import ContinuityConfig
package import ContinuityCore
import Foundation

/// A test of a pack, as its author writes it: `tests/*.yaml`, one case in each file.
package struct HookFixture: Hashable, Sendable {
    static let filesMax = 200

    package var file: String
    package var name: String
    package var entry: Stage
    package var configuration: [String: JSONValue]
    package var context: JSONValue
    /// `nil`: what the manifest asks for by name.
    package var grant: HookGrant?
    /// What the broker answers, in order. After the last one every call succeeds.
    package var replies: [HookHostReply]
    /// What the broker answers to which call. Where there are any, a read that none fits fails.
    package var answers: [HookFixtureAnswer]
    package var expectation: HookExpectation

    /// All fixtures of a pack, in the order of their file names.
    package static func loadAll(packFolder: String) throws(ConfigError) -> [HookFixture] {
        let folder = packFolder + "/tests"
        let names =
            (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let files = names.filter { $0.hasSuffix(".yaml") }.sorted()
        guard files.count <= filesMax else {
            throw ConfigError(
                file: folder, line: nil, message: "holds more than \(filesMax) fixtures",
                remedy: "split the pack")
        }
        var fixtures: [HookFixture] = []
        for file in files { fixtures.append(try HookFixture(file: folder + "/" + file)) }
        return fixtures
    }

    package init(file: String) throws(ConfigError) {
        try self.init(reading: ConfigReader.load(file: file))
    }

    package init(text: String, file: String) throws(ConfigError) {
        try self.init(reading: ConfigReader.parse(text: text, file: file))
    }

    private init(reading reader: ConfigReader) throws(ConfigError) {
        file = reader.file
        name = try reader.string("name")
        entry = try reader.choice("entry")
        configuration = try reader.json("conf")?.object ?? [:]
        context = try reader.json("context") ?? [:]
        if let section = try reader.optionalMapping("grant") {
            grant = HookGrant(rules: try CapabilityRules(reading: section, author: .grant))
        }
        replies = []
        for section in try reader.list("replies") {
            replies.append(try Self.reply(section))
            try section.finish()
        }
        answers = []
        for section in try reader.list("answers") {
            answers.append(try HookFixtureAnswer(reading: section))
        }
        expectation = try HookExpectation(reading: reader.mapping("expect"))
        try reader.finish()
    }
}

extension HookFixture {
    static func reply(_ section: ConfigReader) throws(ConfigError) -> HookHostReply {
        if try section.bool("ok", default: true) { return .ok(try section.json("value") ?? .null) }
        return .failed(
            message: try section.string("error"),
            code: try section.optionalString("code") ?? "failed")
    }
}

/// An answer for calls of one name whose arguments hold at least `arguments`. Each is used once,
/// in order; the last that fits is used again.
package struct HookFixtureAnswer: Hashable, Sendable {
    package var call: String
    package var arguments: JSONValue
    package var reply: HookHostReply

    init(reading section: ConfigReader) throws(ConfigError) {
        call = try section.string("call")
        guard CapabilityCatalogue.operation(call) != nil else {
            throw section.error(
                "'call' is '\(call)'",
                remedy: "known: "
                    + CapabilityCatalogue.operations.map(\.name).sorted().joined(separator: ", "),
                at: "call")
        }
        arguments = try section.json("args") ?? [:]
        reply = try HookFixture.reply(section)
        try section.finish()
    }

    func fits(_ hostCall: HookHostCall) -> Bool {
        call == hostCall.name && HookExpectation.covers(arguments, hostCall.arguments)
    }
}

/// What a fixture expects of the outcome. What it does not name, it does not look at.
package struct HookExpectation: Hashable, Sendable {
    package var status: HookOutcome.Status
    package var limit: String?
    /// Equal to the returned value, where given.
    package var value: JSONValue?
    /// A policy's `verdict`.
    package var verdict: String?
    /// A part of the policy's `reason`.
    package var reason: String?
    /// A part of the error.
    package var error: String?
    /// As many effects in this order; each names `call` and those members of `args` that matter.
    package var effects: [JSONValue]?
    /// All lines, exactly.
    package var logs: [String]?

    init(reading reader: ConfigReader) throws(ConfigError) {
        let text = try reader.string("status")
        guard let status = HookOutcome.Status(rawValue: text) else {
            throw reader.error(
                "'expect.status' is '\(text)'",
                remedy: "write one of: ok, failed, error, limit, denied, crash", at: "status")
        }
        self.status = status
        limit = try reader.optionalString("limit")
        value = try reader.json("value")
        verdict = try reader.optionalString("verdict")
        reason = try reader.optionalString("reason")
        error = try reader.optionalString("error")
        effects = try reader.json("effects")?.array
        logs = reader.keys.contains("logs") ? try reader.strings("logs") : nil
        try reader.finish()
    }

    /// What differs, for people. Empty: the outcome is as expected.
    package func differences(from outcome: HookOutcome) -> [String] {
        var found: [String] = []
        func compare(_ what: String, _ expected: String?, _ actual: String?) {
            guard let expected, expected != actual else { return }
            found.append("\(what): expected '\(expected)', got '\(actual ?? "nothing")'")
        }
        func contains(_ what: String, _ expected: String?, _ actual: String?) {
            guard let expected, !(actual ?? "").contains(expected) else { return }
            found.append("\(what): expected '\(expected)' in it, got '\(actual ?? "nothing")'")
        }
        compare("status", status.rawValue, outcome.status.rawValue)
        if status != outcome.status, let error = outcome.error { found.append("error: \(error)") }
        compare("limit", limit, outcome.limit)
        compare("verdict", verdict, outcome.value["verdict"]?.string)
        contains("reason", reason, outcome.value["reason"]?.string)
        contains("error", error, outcome.error)
        if let value, value != outcome.value {
            found.append("value: expected \(Self.text(value)), got \(Self.text(outcome.value))")
        }
        if let logs, logs != outcome.logs {
            found.append("logs: expected \(logs), got \(outcome.logs)")
        }
        if let effects { found.append(contentsOf: Self.compare(effects, outcome.effects)) }
        return found
    }

    private static func compare(_ expected: [JSONValue], _ actual: [JSONValue]) -> [String] {
        guard expected.count == actual.count else {
            return ["effects: expected \(expected.count), got \(text(.array(actual)))"]
        }
        return zip(expected, actual).enumerated().compactMap { index, pair in
            guard !covers(pair.0, pair.1) else { return nil }
            return "effects[\(index)]: expected \(text(pair.0)), got \(text(pair.1))"
        }
    }

    /// Whether `actual` holds everything that `expected` names.
    static func covers(_ expected: JSONValue, _ actual: JSONValue) -> Bool {
        if let elements = expected.array, let others = actual.array {
            return elements.count == others.count && zip(elements, others).allSatisfy(covers)
        }
        guard let members = expected.object else { return expected == actual }
        return members.allSatisfy { name, value in
            actual[name].map { covers(value, $0) } ?? (value == .null)
        }
    }

    private static func text(_ value: JSONValue) -> String {
        String(decoding: CanonicalJSON.bytes(value), as: UTF8.self)
    }
}
