import ContinuityCommandLine
import ContinuityCore
import Foundation

/// Prints for people: ``ContinuityCommandLine/print(_:terminator:)`` for the files of this program,
/// where it stands before Swift's own `print`, so that none of them can forget to import it.
func print(_ text: String, terminator: String = "\n") {
    ContinuityCommandLine.print(text, terminator: terminator)
}

/// Prints a document that programs read too: the same values, with nothing that a terminal obeys.
func printDocument(_ text: String, terminator: String = "\n") {
    Swift.print(SafeText.json(text), terminator: terminator)
}

/// The same value with all its texts fit for one line each, or for Markdown.
func forPeople<Value: Codable>(
    _ value: Value, _ clean: (String) -> String = { SafeText.line($0) }
) throws -> Value {
    func all(_ json: JSONValue) -> JSONValue {
        switch json {
        case .string(let text): .string(clean(text))
        case .array(let elements): .array(elements.map(all))
        case .object(let members):
            .object(
                Dictionary(
                    members.map { (clean($0.key), all($0.value)) },
                    uniquingKeysWith: { first, _ in first }))
        default: json
        }
    }
    let bytes = CanonicalJSON.bytes(all(try JSONValue(encoding: value)))
    return try JSONDecoder().decode(Value.self, from: Data(bytes))
}
