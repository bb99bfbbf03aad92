import FoundationEssentials

/// Withholds personal data in a body that the journal has kept already.
///
/// Only what is written for people may go: the fold of the journal is the orchestrator's state, and
/// it must stay the same one.
package enum Redaction {
    package static let marker = "[redacted]"

    /// The fields that no decision rests on, wherever in a body they stand.
    package static let fields: Set<String> = [
        "arguments", "data", "detail", "error", "evidence", "logs", "reason", "requested_by",
        "summary",
    ]
    /// What digests are taken over, or decisions rest on, whole.
    static let untouched: Set<String> = ["plan", "cluster", "policy"]

    package enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        case neededField(String)
        case nothingThere
        case unfit(String)

        package var description: String {
            switch self {
            case .neededField(let name):
                "'\(name)' is no field that can be withheld; those are "
                    + fields.sorted().joined(separator: ", ")
            case .nothingThere: "the entry has nothing left to withhold in these fields"
            case .unfit(let reason): "the entry would not be understood any more: \(reason)"
            }
        }
    }

    /// What is to stand in the journal.
    package struct Result: Sendable {
        package var body: [UInt8]
        /// The names of the fields that were withheld.
        package var fields: [String]
        /// The commitments of the withheld values by pointer; `nil`: the body has none.
        package var parts: [String: String]?
    }

    /// - Throws: ``Refusal``; nothing of the entry is to be changed then.
    package static func redact(
        _ entry: JournalEntry, fields wanted: Set<String>, digest: ContentDigest
    ) throws(Refusal) -> Result {
        if let needed = wanted.subtracting(fields).min() { throw .neededField(needed) }
        let parts = BodyCommitment.parts(
            of: entry.body, sha256: entry.bodySHA256, digest: digest)
        guard let parts else { return try redactWhole(entry, wanted) }
        let chosen = parts.filter { wanted.contains($0.name) && !$0.isWithheld }
        guard !chosen.isEmpty else { throw .nothingThere }
        var changed = entry
        changed.body = BodyCommitment.withholding(
            Set(chosen.map(\.pointer)), of: parts, in: entry.body)
        try checkFits(changed)
        return Result(
            body: changed.body, fields: Set(chosen.map(\.name)).sorted(),
            parts: Dictionary(
                chosen.map { ($0.pointer, $0.sha256) }, uniquingKeysWith: { first, _ in first }))
    }

    private static func checkFits(_ entry: JournalEntry) throws(Refusal) {
        do throws(JournalFault) {
            _ = try JournalBody(of: entry)
        } catch {
            throw .unfit(error.reason)
        }
    }

    /// Whether each of the fields stands in the body, and everywhere withheld.
    static func isWithheld(_ fields: [String], in body: [UInt8]) -> Bool {
        guard !fields.isEmpty, Set(fields).isSubset(of: Self.fields),
            let value = try? JSONValue(parsing: body[...])
        else { return false }
        var left: Set<String> = []
        var found: Set<String> = []
        func look(_ value: JSONValue) {
            switch value {
            case .array(let elements): elements.forEach(look)
            case .object(let members):
                for (key, member) in members where !untouched.contains(key) {
                    guard fields.contains(key), let less = withheld(member) else {
                        look(member)
                        continue
                    }
                    found.insert(key)
                    if less != member { left.insert(key) }
                }
            default: return
            }
        }
        look(value)
        return left.isEmpty && found == Set(fields)
    }

    /// For a body whose digest is over the whole: what stands there afterwards is not proven.
    private static func redactWhole(
        _ entry: JournalEntry, _ wanted: Set<String>
    ) throws(Refusal) -> Result {
        guard let body = try? JSONDecoder().decode(JSONValue.self, from: Data(entry.body)) else {
            throw .unfit("its body cannot be read")
        }
        var found: Set<String> = []
        let redacted = withhold(body, wanted, &found)
        guard !found.isEmpty else { throw .nothingThere }
        var changed = entry
        changed.body = CanonicalJSON.bytes(redacted)
        try checkFits(changed)
        return Result(body: changed.body, fields: found.sorted(), parts: nil)
    }

    private static func withhold(
        _ value: JSONValue, _ wanted: Set<String>, _ found: inout Set<String>
    ) -> JSONValue {
        switch value {
        case .array(let elements):
            return .array(elements.map { withhold($0, wanted, &found) })
        case .object(let members):
            var kept: [String: JSONValue] = [:]
            for (key, member) in members {
                guard wanted.contains(key), key != "requested_by" || member.string != nil,
                    let less = withheld(member)
                else {
                    kept[key] = untouched.contains(key) ? member : withhold(member, wanted, &found)
                    continue
                }
                kept[key] = less
                if less != member { found.insert(key) }
            }
            return .object(kept)
        default: return value
        }
    }

    /// `nil`: there is nothing in it to withhold.
    private static func withheld(_ value: JSONValue) -> JSONValue? {
        switch value {
        case .string(let text): text.isEmpty ? nil : .string(marker)
        case .array(let elements):
            // A list of texts stays one: what reads it expects texts.
            elements.isEmpty ? nil : .array([.string(marker)])
        case .object(let members): members.isEmpty ? nil : .object([marker: .bool(true)])
        case .null, .bool, .int: nil
        }
    }
}
