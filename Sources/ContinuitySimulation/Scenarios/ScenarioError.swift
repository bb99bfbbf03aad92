/// A line of a scenario file that is not understood.
package struct ScenarioError: Error, CustomStringConvertible, Sendable {
    package var line: Int
    package var message: String

    package var description: String { "line \(line): \(message)" }
}
