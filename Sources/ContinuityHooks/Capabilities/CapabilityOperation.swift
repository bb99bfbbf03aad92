package import ContinuityCore

/// One thing that a hook can ask for: what `ctx` offers, what the broker checks, and what editors
/// and the reference show all come from here.
package struct CapabilityOperation: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable { case read, effect }

    /// An error code beside `denied`, `invalid` and `unavailable`, which every operation has.
    package struct Code: Hashable, Sendable {
        package let name: String
        package let meaning: String
    }

    /// As on `ctx`: `http.get`.
    package let name: String
    package let arguments: [CapabilityField]
    /// The kind; where it depends on the arguments, that of the harmless case.
    package let kind: Kind
    package let result: CapabilityType
    package let codes: [Code]
    package let documentation: String
    /// What an effect is answered in a drill.
    package let stub: JSONValue

    init(
        _ name: String, _ kind: Kind, _ arguments: [CapabilityField], _ result: CapabilityType,
        codes: [Code] = [], stub: JSONValue = true, _ documentation: String
    ) {
        self.name = name
        self.kind = kind
        self.arguments = arguments
        self.result = result
        self.codes = codes
        self.stub = stub
        self.documentation = documentation
    }

    /// The positional arguments of a call as an object, checked.
    func named(_ positional: JSONValue) -> Result<JSONValue, CallProblem> {
        let values = positional.array ?? []
        guard values.count <= arguments.count else {
            return .failure(
                CallProblem(
                    "\(name): takes \(arguments.count) arguments, not \(values.count)"))
        }
        var members: [String: JSONValue] = [:]
        for (index, argument) in arguments.enumerated() {
            guard index < values.count, values[index] != .null else {
                if argument.isOptional { continue }
                return .failure(CallProblem("\(name): '\(argument.name)' is missing"))
            }
            if let problem = argument.type.problem(values[index], argument.name) {
                return .failure(CallProblem("\(name): \(problem)"))
            }
            members[argument.name] = values[index]
        }
        return .success(.object(members))
    }
}

package struct CallProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}
