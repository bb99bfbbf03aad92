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
    private static let untouched: Set<String> = ["plan", "cluster", "policy"]

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

    /// - Returns: the body as it is to stand in the journal, and which fields were withheld.
    /// - Throws: ``Refusal``; nothing of the entry is to be changed then.
    package static func redact(
        _ entry: JournalEntry, fields wanted: Set<String>
    ) throws(Refusal) -> (body: [UInt8], fields: [String]) {
        if let needed = wanted.subtracting(fields).min() { throw .neededField(needed) }
        guard let body = try? JSONDecoder().decode(JSONValue.self, from: Data(entry.body)) else {
            throw .unfit("its body cannot be read")
        }
        var found: Set<String> = []
        let redacted = withhold(body, wanted, &found)
        guard !found.isEmpty else { throw .nothingThere }
        var changed = entry
        changed.body = CanonicalJSON.bytes(redacted)
        do throws(JournalFault) {
            _ = try JournalBody(of: changed)
        } catch {
            throw .unfit(error.reason)
        }
        return (changed.body, found.sorted())
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
