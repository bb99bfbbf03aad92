import ContinuityCore
import Yams

extension YAMLNode {
    /// The tree that files are read into, of a body that somebody sent. Numbers stay as written.
    init(_ tree: JSONTree) {
        switch tree {
        case .null: self.init("null", .implicit, .plain)
        case .bool(let flag): self.init(flag ? "true" : "false", .implicit, .plain)
        case .int(let number): self.init("\(number)", .implicit, .plain)
        case .number(let text): self.init(text, .implicit, .plain)
        case .string(let text): self.init(text, Tag(.str), .doubleQuoted)
        case .array(let elements): self.init(elements.map { YAMLNode($0) })
        case .object(let members):
            self.init(members.map { (YAMLNode($0.key), YAMLNode($0.value)) })
        }
    }
}
