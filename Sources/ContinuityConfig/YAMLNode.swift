import ContinuityCore

/// A value of a YAML or JSON file with where it stands. The keys of a mapping are texts, each once.
enum YAMLNode {
    struct Scalar {
        var string: String
        /// Unquoted, so that it may be a number, a truth value or nothing.
        var isPlain: Bool
        /// Counted from 1; `nil`: it came over the network.
        var line: Int?

        var isNull: Bool {
            isPlain && ["", "~", "null", "Null", "NULL"].contains(string)
        }
    }

    struct Member {
        var key: String
        var keyLine: Int?
        var value: YAMLNode
    }

    struct Mapping {
        var members: [Member]
        var line: Int?
        private let places: [String: Int]

        init(_ members: [Member], line: Int?) {
            self.members = members
            self.line = line
            places = Dictionary(
                members.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
        }

        subscript(key: String) -> YAMLNode? { places[key].map { members[$0].value } }
    }

    case scalar(Scalar)
    case sequence([YAMLNode], line: Int?)
    case mapping(Mapping)

    var line: Int? {
        switch self {
        case .scalar(let scalar): scalar.line
        case .sequence(_, let line): line
        case .mapping(let mapping): mapping.line
        }
    }

    /// Of a body that somebody sent. Numbers stay as written.
    init(_ tree: JSONTree) {
        func plain(_ text: String) -> YAMLNode {
            .scalar(Scalar(string: text, isPlain: true))
        }
        switch tree {
        case .null: self = plain("null")
        case .bool(let flag): self = plain(flag ? "true" : "false")
        case .int(let number): self = plain("\(number)")
        case .number(let text): self = plain(text)
        case .string(let text): self = .scalar(Scalar(string: text, isPlain: false))
        case .array(let elements): self = .sequence(elements.map { YAMLNode($0) }, line: nil)
        case .object(let members):
            self = .mapping(
                Mapping(
                    members.map { Member(key: $0.key, value: YAMLNode($0.value)) }, line: nil))
        }
    }
}
