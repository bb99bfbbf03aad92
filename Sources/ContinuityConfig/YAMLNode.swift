import Yams

/// The parser's node; `Node` alone means a member of a cluster here.
typealias YAMLNode = Yams.Node
