package import ContinuityCore
import Foundation

/// Renders an alert as a CloudEvents 1.0 event in the structured JSON format.
package enum CloudEvent {
    package static let contentType = "application/cloudevents+json"

    /// Canonical JSON: the same alert gives the same bytes on each attempt.
    package static func bytes(_ alert: Alert) -> [UInt8] { CanonicalJSON.bytes(json(alert)) }

    static func json(_ alert: Alert) -> JSONValue {
        var members: [String: JSONValue] = [
            "specversion": "1.0",
            "id": .string(alert.alertID.rawValue),
            "source": .string("/continuity/" + pathSegment(alert.clusterID.rawValue)),
            "type": .string(alert.type),
            "time": .string(utcText(alert.atMs)),
            "datacontenttype": "application/json",
            "data": data(alert),
        ]
        // The specification forbids an empty subject.
        if !alert.subject.isEmpty { members["subject"] = .string(alert.subject) }
        return .object(members)
    }

    /// The alert's data with `summary` and `severity` beside it, which no data can override. Data
    /// that is not an object stands under `details`.
    private static func data(_ alert: Alert) -> JSONValue {
        var members: [String: JSONValue] =
            switch alert.data {
            case .object(let members): members
            case .null: [:]
            default: ["details": alert.data]
            }
        members["summary"] = .string(alert.summary)
        members["severity"] = .string(alert.severity.rawValue)
        return .object(members)
    }

    /// `source` is a URI reference: what is not unreserved (RFC 3986 section 2.3) is encoded.
    private static func pathSegment(_ text: String) -> String {
        var unreserved = CharacterSet(charactersIn: "-._~")
        unreserved.insert(charactersIn: "a"..."z")
        unreserved.insert(charactersIn: "A"..."Z")
        unreserved.insert(charactersIn: "0"..."9")
        return text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
    }

    /// RFC 3339 in UTC with milliseconds.
    static func utcText(_ milliseconds: Int64) -> String {
        let (quotient, remainder) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        var seconds = time_t(remainder < 0 ? quotient - 1 : quotient)
        let fraction = remainder < 0 ? remainder + 1000 : remainder
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return padded(Int(parts.tm_year) + 1900, 4) + "-" + padded(Int(parts.tm_mon) + 1, 2) + "-"
            + padded(Int(parts.tm_mday), 2) + "T" + padded(Int(parts.tm_hour), 2) + ":"
            + padded(Int(parts.tm_min), 2) + ":" + padded(Int(parts.tm_sec), 2) + "."
            + padded(Int(fraction), 3) + "Z"
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
