package import ContinuityCore
import Foundation

/// Reads one mapping of a YAML or JSON file strictly: every key is asked for by name, and what
/// was not asked for is an error with its line. JSON is read by the same parser, as YAML's subset.
///
/// Confined to the loading of one file; not `Sendable`.
package final class ConfigReader {
    package let file: String
    package let line: Int
    private let path: String
    private let mapping: YAMLNode.Mapping
    private var asked: Set<String> = []
    /// Whether it came as JSON over the network: there are no lines, and a number is no text.
    private let isBody: Bool

    private init(
        file: String, path: String, node: YAMLNode, isBody: Bool = false
    ) throws(ConfigError) {
        self.file = file
        self.path = path
        self.isBody = isBody
        self.line = node.line ?? 1
        guard case .mapping(let mapping) = node else {
            throw ConfigError(
                file: file, line: node.line,
                message: "\(path.isEmpty ? "the \(isBody ? "body" : "file")" : "'\(path)'") is "
                    + "not a mapping",
                remedy: isBody ? "send an object" : "write it as 'key: value' lines")
        }
        self.mapping = mapping
    }

    // MARK: Opening a file

    package static func load(file: String) throws(ConfigError) -> ConfigReader {
        try parse(text: BoundedFile.text(of: file, bytesMax: YAMLParser.bytesMax), file: file)
    }

    package static func parse(text: String, file: String) throws(ConfigError) -> ConfigReader {
        let node: YAMLNode?
        do {
            node = try YAMLParser.parse(text)
        } catch {
            throw ConfigError(
                file: file, line: error.line, message: error.message, remedy: error.remedy)
        }
        guard let node else {
            throw ConfigError(
                file: file, line: 1, message: "the file is empty",
                remedy: "see docs/operations.md for an example")
        }
        return try ConfigReader(file: file, path: "", node: node)
    }

    /// A JSON body that somebody sent, by the rules of files.
    ///
    /// - Throws: ``ConfigError`` without a line; its message names the place by the path of fields.
    package static func parse(json bytes: [UInt8]) throws(ConfigError) -> ConfigReader {
        let node: YAMLNode
        do {
            node = YAMLNode(try JSONTree(parsing: bytes))
        } catch {
            throw ConfigError(
                file: "body", line: nil, message: "\(error)",
                remedy: "send one JSON object (RFC 8259)")
        }
        return try ConfigReader(file: "body", path: "", node: node, isBody: true)
    }

    // MARK: Errors

    package func error(_ message: String, remedy: String, at key: String? = nil) -> ConfigError {
        guard !isBody else {
            let place = key.map(name) ?? path
            let isNamed = place.isEmpty || message.contains("'\(place)'")
            return ConfigError(
                file: file, line: nil, message: isNamed ? message : "\(place): \(message)",
                remedy: remedy)
        }
        let line = key.flatMap { mapping[$0]?.line } ?? self.line
        return ConfigError(file: file, line: line, message: message, remedy: remedy)
    }

    private func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    private func node(_ key: String) -> YAMLNode? {
        asked.insert(key)
        guard let node = mapping[key] else { return nil }
        if case .scalar(let scalar) = node, scalar.isNull { return nil }
        return node
    }

    private func required<Value>(_ key: String, _ value: Value?) throws(ConfigError) -> Value {
        guard let value else {
            throw error("'\(name(key))' is missing", remedy: "add it")
        }
        return value
    }

    private func mistyped(_ key: String, _ expected: String) -> ConfigError {
        error("'\(name(key))' must be \(expected)", remedy: "correct the value", at: key)
    }

    /// Fails on the first key that nobody asked for.
    package func finish() throws(ConfigError) {
        for member in mapping.members where !asked.contains(member.key) {
            let known = asked.sorted().joined(separator: ", ")
            throw ConfigError(
                file: file, line: member.keyLine, message: "unknown field '\(name(member.key))'",
                remedy: "known here: \(known)")
        }
    }

    package var keys: [String] { mapping.members.map(\.key) }

    /// The line of a key's value, for errors that only show after reading.
    package func line(of key: String) -> Int { mapping[key]?.line ?? line }

    // MARK: Values

    package func string(_ key: String) throws(ConfigError) -> String {
        try required(key, optionalString(key))
    }

    package func optionalString(_ key: String) throws(ConfigError) -> String? {
        guard let node = node(key) else { return nil }
        guard case .scalar(let scalar) = node, !scalar.string.isEmpty, isText(scalar) else {
            throw mistyped(key, "a non-empty text")
        }
        return scalar.string
    }

    /// `host:port`.
    package func endpoint(
        _ key: String, defaultPort: Int? = nil
    ) throws(ConfigError) -> Endpoint {
        let text = try string(key)
        do {
            return try Endpoint(parsing: text, defaultPort: defaultPort)
        } catch {
            throw fault(error, text, key)
        }
    }

    /// Why a text is no endpoint or URL, with its line.
    func fault(_ fault: Endpoint.Fault, _ text: String, _ key: String) -> ConfigError {
        error("'\(name(key))' is '\(text)': \(fault.message)", remedy: fault.remedy, at: key)
    }

    package func int(
        _ key: String, in range: ClosedRange<Int64>, default fallback: Int64? = nil
    ) throws(ConfigError) -> Int64 {
        try required(key, optionalInt(key, in: range) ?? fallback)
    }

    package func optionalInt(
        _ key: String, in range: ClosedRange<Int64>
    ) throws(ConfigError) -> Int64? {
        guard let node = node(key) else { return nil }
        guard case .scalar(let scalar) = node, scalar.isPlain,
            let number = WholeNumber(scalar.string)
        else {
            throw mistyped(key, "a whole number")
        }
        let value: Int64
        switch number {
        case .whole(let number): value = number
        case .fraction:
            throw error(
                "'\(name(key))' is \(scalar.string), a fraction",
                remedy: "round it to a whole number, for 92.5 write 92 or 93", at: key)
        case .tooLarge:
            throw mistyped(
                key,
                "from \(range.lowerBound) to \(range.upperBound), but is \(scalar.string), "
                    + "which no whole number of 64 bits is")
        }
        guard range.contains(value) else {
            throw mistyped(
                key, "from \(range.lowerBound) to \(range.upperBound), but is \(value)")
        }
        return value
    }

    package func bool(_ key: String, default fallback: Bool? = nil) throws(ConfigError) -> Bool {
        guard let node = node(key) else { return try required(key, fallback) }
        guard case .scalar(let scalar) = node, scalar.isPlain, let value = Bool(scalar.string)
        else {
            throw mistyped(key, "true or false")
        }
        return value
    }

    package func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, default fallback: Choice? = nil
    ) throws(ConfigError) -> Choice where Choice.RawValue == String {
        guard let text = try optionalString(key) else { return try required(key, fallback) }
        guard let value = Choice(rawValue: text) else {
            let all = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw error(
                "'\(name(key))' is '\(text)'", remedy: "write one of: \(all)", at: key)
        }
        return value
    }

    package func strings(
        _ key: String, default fallback: [String]? = nil
    ) throws(ConfigError) -> [String] {
        guard let node = node(key) else { return try required(key, fallback) }
        guard case .sequence(let sequence, _) = node else { throw mistyped(key, "a list of texts") }
        var values: [String] = []
        for element in sequence {
            guard case .scalar(let scalar) = element, isText(scalar) else {
                throw mistyped(key, "a list of texts")
            }
            values.append(scalar.string)
        }
        return values
    }

    package func stringMap(_ key: String) throws(ConfigError) -> [String: String] {
        guard let node = node(key) else { return [:] }
        guard case .mapping(let mapping) = node else {
            throw mistyped(key, "a mapping of texts")
        }
        var values: [String: String] = [:]
        for member in mapping.members {
            guard case .scalar(let scalar) = member.value else {
                throw mistyped(key, "a mapping of texts")
            }
            values[member.key] = scalar.string
        }
        return values
    }

    package func mapping(_ key: String) throws(ConfigError) -> ConfigReader {
        try required(key, optionalMapping(key))
    }

    package func optionalMapping(_ key: String) throws(ConfigError) -> ConfigReader? {
        guard let node = node(key) else { return nil }
        return try ConfigReader(file: file, path: name(key), node: node, isBody: isBody)
    }

    package func list(_ key: String) throws(ConfigError) -> [ConfigReader] {
        guard let node = node(key) else { return [] }
        guard case .sequence(let sequence, _) = node else { throw mistyped(key, "a list") }
        var readers: [ConfigReader] = []
        for (index, element) in sequence.enumerated() {
            readers.append(
                try ConfigReader(
                    file: file, path: "\(name(key))[\(index)]", node: element, isBody: isBody))
        }
        return readers
    }

    /// Any value, without floating point. `nil` when the key is absent.
    package func json(_ key: String) throws(ConfigError) -> JSONValue? {
        guard let node = node(key) else { return nil }
        return try json(node, key: key)
    }

    private func json(_ node: YAMLNode, key: String) throws(ConfigError) -> JSONValue {
        switch node {
        case .scalar(let scalar):
            guard scalar.isPlain else { return .string(scalar.string) }
            if scalar.isNull { return .null }
            if let flag = Bool(scalar.string) { return .bool(flag) }
            if let number = Int64(scalar.string) { return .int(number) }
            if WholeNumber(scalar.string) == .tooLarge {
                throw ConfigError(
                    file: file, line: scalar.line,
                    message: "'\(name(key))' holds \(scalar.string), which is beyond 64 bits",
                    remedy: "write a smaller number, or put it in quotes")
            }
            if Double(scalar.string) != nil {
                throw ConfigError(
                    file: file, line: scalar.line,
                    message: "'\(name(key))' holds the fraction \(scalar.string)",
                    remedy: "write whole numbers in a smaller unit, or put it in quotes")
            }
            return .string(scalar.string)
        case .sequence(let sequence, _):
            var elements: [JSONValue] = []
            for element in sequence { elements.append(try json(element, key: key)) }
            return .array(elements)
        case .mapping(let mapping):
            var members: [String: JSONValue] = [:]
            for member in mapping.members {
                members[member.key] = try json(member.value, key: key)
            }
            return .object(members)
        }
    }

    private func isText(_ scalar: YAMLNode.Scalar) -> Bool {
        !isBody || !scalar.isPlain
    }
}
