import CYaml

/// Reads one YAML document (JSON is a part of YAML) into nodes, for everything that continuity
/// reads: packs, fixtures, clusters, policies, plans, and its own configuration.
///
/// Bounded, since a pack's author or a configuration's generator may be careless or hostile: in
/// bytes, nodes and depth, and so in time. It stops at the first node beyond them. Anchors and
/// aliases are refused: a few lines of them stand for billions of nodes, and no file needs them.
/// So are keys that are no texts, and keys that stand twice.
struct YAMLParser: ~Copyable {
    static let bytesMax = 1 << 20
    static let nodesMax = 100_000
    static let depthMax = 64

    struct Fault: Error {
        var line: Int?
        var message: String
        var remedy: String

        static let syntaxRemedy = "correct the YAML or JSON syntax"
    }

    private typealias Event = YAMLEvent

    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private var nodesLeft = YAMLParser.nodesMax

    /// - Returns: `nil` when there is no document in it.
    static func parse(_ text: String) throws(Fault) -> YAMLNode? {
        let bytes = Array(text.utf8)
        guard bytes.count <= bytesMax else {
            throw Fault(
                message: "is larger than \(bytesMax >> 10) KiB", remedy: "split or shorten it")
        }
        // The parser reads from the bytes as long as it lives, which is within this call.
        return try bytes.withUnsafeBufferPointer { buffer throws(Fault) in
            var parser = try YAMLParser(buffer)
            return try parser.document()
        }
    }

    private init(_ bytes: UnsafeBufferPointer<UInt8>) throws(Fault) {
        parser = .allocate(capacity: 1)
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            throw Fault(message: "cannot be read: no memory", remedy: "free some memory")
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    // MARK: Structure

    private mutating func document() throws(Fault) -> YAMLNode? {
        _ = try next()  // the stream's start
        guard try next().type == YAML_DOCUMENT_START_EVENT else { return nil }
        let node = try node(from: next(), depth: 0)
        _ = try next()  // the document's end
        let after = try next()
        guard after.type == YAML_STREAM_END_EVENT else {
            throw Fault(
                line: after.line, message: "a second document begins here",
                remedy: "keep one document in the file")
        }
        return node
    }

    private mutating func node(from event: Event, depth: Int) throws(Fault) -> YAMLNode {
        guard depth <= Self.depthMax else {
            throw Fault(
                line: event.line, message: "it is nested deeper than \(Self.depthMax) levels",
                remedy: "write it flatter")
        }
        guard nodesLeft > 0 else {
            throw Fault(
                line: event.line, message: "it has more than \(Self.nodesMax) values",
                remedy: "split or shorten it")
        }
        nodesLeft -= 1
        if let anchor = event.anchor {
            throw Fault(
                line: event.line,
                message: "'\(event.type == YAML_ALIAS_EVENT ? "*" : "&")\(anchor)' is an "
                    + (event.type == YAML_ALIAS_EVENT ? "alias" : "anchor")
                    + ", which is not available here",
                remedy: "write the value out where it is used, or put a text in quotes")
        }
        switch event.type {
        case YAML_SCALAR_EVENT: return .scalar(event.scalar)
        case YAML_SEQUENCE_START_EVENT: return try sequence(event, depth)
        default: return try mapping(event, depth)
        }
    }

    private mutating func sequence(_ start: Event, _ depth: Int) throws(Fault) -> YAMLNode {
        var elements: [YAMLNode] = []
        var event = try next()
        while event.type != YAML_SEQUENCE_END_EVENT {
            elements.append(try node(from: event, depth: depth + 1))
            event = try next()
        }
        return .sequence(elements, line: start.line)
    }

    private mutating func mapping(_ start: Event, _ depth: Int) throws(Fault) -> YAMLNode {
        var members: [YAMLNode.Member] = []
        var keys: Set<String> = []
        var event = try next()
        while event.type != YAML_MAPPING_END_EVENT {
            guard case .scalar(let key) = try node(from: event, depth: depth + 1) else {
                throw Fault(
                    line: event.line, message: "a key is a list or a mapping",
                    remedy: "write it as a text")
            }
            guard keys.insert(key.string).inserted else {
                throw Fault(
                    line: event.line, message: "the key '\(key.string)' stands more than once",
                    remedy: "keep one of them")
            }
            members.append(
                YAMLNode.Member(
                    key: key.string, keyLine: key.line,
                    value: try node(from: next(), depth: depth + 1)))
            event = try next()
        }
        return .mapping(YAMLNode.Mapping(members, line: start.line))
    }

    // MARK: libyaml

    private mutating func next() throws(Fault) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxFault() }
        defer { yaml_event_delete(&event) }
        return YAMLEvent(event)
    }

    private func syntaxFault() -> Fault {
        func text(_ pointer: UnsafePointer<CChar>?) -> String? {
            pointer.map(String.init(cString:))
        }
        let state = parser.pointee
        // Bytes that are no text have an offset in place of a line.
        let hasLine = state.error != YAML_READER_ERROR
        let parts = [text(state.context), text(state.problem)].compactMap(\.self)
        return Fault(
            line: hasLine ? Int(state.problem_mark.line) + 1 : nil,
            message: parts.isEmpty ? "cannot be read" : parts.joined(separator: ", "),
            remedy: Fault.syntaxRemedy)
    }
}

/// What is kept of one event of libyaml.
private struct YAMLEvent {
    let type: yaml_event_type_t
    let line: Int
    var anchor: String?
    var scalar = YAMLNode.Scalar(string: "", isPlain: false)

    init(_ event: yaml_event_t) {
        type = event.type
        line = Int(event.start_mark.line) + 1
        switch event.type {
        case YAML_ALIAS_EVENT: anchor = Self.text(event.data.alias.anchor)
        case YAML_SEQUENCE_START_EVENT: anchor = Self.text(event.data.sequence_start.anchor)
        case YAML_MAPPING_START_EVENT: anchor = Self.text(event.data.mapping_start.anchor)
        case YAML_SCALAR_EVENT:
            let data = event.data.scalar
            anchor = Self.text(data.anchor)
            let bytes = UnsafeBufferPointer(start: data.value, count: data.length)
            // `!!str 5` is a text as `"5"` is.
            let isTaggedText = Self.text(data.tag)?.hasSuffix(":str") ?? false
            scalar = YAMLNode.Scalar(
                string: String(decoding: bytes, as: UTF8.self),
                isPlain: data.style == YAML_PLAIN_SCALAR_STYLE && !isTaggedText, line: line)
        default: break
        }
    }

    private static func text(_ pointer: UnsafePointer<UInt8>?) -> String? {
        pointer.map { String(cString: $0) }
    }
}
