import ContinuityCore
import Foundation
import Logging

/// Prints for people. It stands before Swift's own `print` in this whole program, so that nothing
/// that others wrote reaches the terminal as a command. Line ends are kept: they are the layout.
/// A value that may have line ends of its own goes through ``forPeople(_:)`` or
/// `SafeText.line` first.
func print(_ text: String, terminator: String = "\n") {
    Swift.print(SafeText.lines(text), terminator: terminator)
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

/// Logs for people through another handler, each entry as one line without anything that a
/// terminal obeys.
struct SafeLogHandler: LogHandler {
    private var base: any LogHandler

    init(_ base: any LogHandler) { self.base = base }

    var metadata: Logger.Metadata {
        get { base.metadata }
        set { base.metadata = newValue.mapValues(Self.clean) }
    }
    var metadataProvider: Logger.MetadataProvider? {
        get { base.metadataProvider }
        set { base.metadataProvider = newValue }
    }
    var logLevel: Logger.Level {
        get { base.logLevel }
        set { base.logLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { base[metadataKey: key] }
        set { base[metadataKey: key] = newValue.map(Self.clean) }
    }

    func log(event: LogEvent) {
        var event = event
        event.message = "\(SafeText.line(event.message.description))"
        event.metadata = event.metadata?.mapValues(Self.clean)
        base.log(event: event)
    }

    private static func clean(_ value: Logger.MetadataValue) -> Logger.MetadataValue {
        switch value {
        case .string(let text): .string(SafeText.line(text))
        case .stringConvertible(let value): .string(SafeText.line("\(value)"))
        case .array(let values): .array(values.map(clean))
        case .dictionary(let values): .dictionary(values.mapValues(clean))
        }
    }
}
