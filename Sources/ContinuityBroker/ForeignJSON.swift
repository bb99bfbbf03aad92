import ContinuityCore
import Foundation

/// JSON that somebody else wrote, as a script and the journal may hold it.
enum ForeignJSON {
    /// `nil` where the text is no JSON.
    static func value(_ text: String) -> JSONValue? {
        guard
            let parsed = try? JSONSerialization.jsonObject(
                with: Data(text.utf8), options: .fragmentsAllowed)
        else { return nil }
        return value(parsed, depth: 0)
    }

    /// Fractions become texts, since journaled data holds none.
    private static func value(_ any: Any, depth: Int) -> JSONValue {
        guard depth < 30 else { return .null }
        switch any {
        case let text as String: return .string(text)
        case let elements as [Any]: return .array(elements.map { value($0, depth: depth + 1) })
        case let members as [String: Any]:
            return .object(members.mapValues { value($0, depth: depth + 1) })
        case let number as NSNumber:
            if isBoolean(number) { return .bool(number.boolValue) }
            if let whole = Int64(number.stringValue) { return .int(whole) }
            return .string(number.stringValue)
        default: return .null
        }
    }

    private static func isBoolean(_ number: NSNumber) -> Bool {
        String(cString: number.objCType) == "c"
    }
}
