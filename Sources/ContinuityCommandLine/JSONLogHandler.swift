import ContinuityCore
import Foundation
import Logging

/// Logs one JSON object a line on standard error.
struct JSONLogHandler: LogHandler {
    let label: String
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel: Logger.Level = .info

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var members: [String: JSONValue] = [:]
        let context = metadataProvider?.get() ?? [:]
        let all = metadata.merging(context) { $1 }.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in all { members[key] = Self.json(value) }
        members["at"] = .string(
            Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
        members["level"] = .string(event.level.rawValue)
        members["logger"] = .string(label)
        members["message"] = .string(event.message.description)
        let line = String(decoding: CanonicalJSON.bytes(.object(members)), as: UTF8.self)
        FileHandle.standardError.write(Data((SafeText.json(line) + "\n").utf8))
    }

    /// Numbers stay numbers, and what is JSON already is not put into a text.
    private static func json(of value: any CustomStringConvertible) -> JSONValue {
        switch value {
        case let body as LoggedBody: body.json ?? .string("too long; see the journal")
        case let flag as Bool: .bool(flag)
        case let number as any BinaryInteger:
            Int64(exactly: number).map(JSONValue.int)
                ?? .string("\(number)")
        default: .string("\(value)")
        }
    }

    private static func json(_ value: Logger.MetadataValue) -> JSONValue {
        switch value {
        case .string(let text): .string(text)
        case .stringConvertible(let value): json(of: value)
        case .array(let values): .array(values.map(json))
        case .dictionary(let values): .object(values.mapValues(json))
        }
    }
}
