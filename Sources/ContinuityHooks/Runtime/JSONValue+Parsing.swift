import ContinuityCore
import Foundation

extension JSONValue {
    /// Parses one JSON text. A number must be an integer that fits 64 bits (`2.0` is one); of a
    /// key that stands twice in an object, one value is taken.
    ///
    /// Several times as fast as `JSONDecoder`, which asks for each value what it might be.
    ///
    /// - Throws: `JSONProblem` when the bytes are not such a text.
    init(parsing bytes: [UInt8]) throws(JSONProblem) {
        let parsed: Any
        do {
            parsed = try JSONSerialization.jsonObject(
                with: Data(bytes), options: [.fragmentsAllowed])
        } catch {
            throw JSONProblem(description: "not JSON: \(error.localizedDescription)")
        }
        try self.init(parsed: parsed)
    }

    private init(parsed: Any) throws(JSONProblem) {
        switch parsed {
        case let text as String: self = .string(text)
        case let object as [String: Any]:
            var members: [String: JSONValue] = [:]
            members.reserveCapacity(object.count)
            for (key, member) in object { members[key] = try JSONValue(parsed: member) }
            self = .object(members)
        case let array as [Any]:
            var elements: [JSONValue] = []
            elements.reserveCapacity(array.count)
            for element in array { elements.append(try JSONValue(parsed: element)) }
            self = .array(elements)
        case is NSNull: self = .null
        case let number as NSNumber:
            // The encoding of a C `char` marks a boolean; any number also converts to `Bool`.
            if number.objCType.pointee == CChar(bitPattern: UInt8(ascii: "c")) {
                self = .bool(number.boolValue)
            } else if let integer = Int64(exactly: number) {
                self = .int(integer)
            } else {
                throw JSONProblem(description: "\(number) is not an integer of 64 bits")
            }
        default: throw JSONProblem(description: "a value of unknown type")
        }
    }
}

/// Why bytes are not a `JSONValue`, for people.
struct JSONProblem: Error, CustomStringConvertible {
    let description: String
}
