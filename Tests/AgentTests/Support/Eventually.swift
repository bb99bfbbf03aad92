import Testing

struct NeverHappened: Error, CustomStringConvertible {
    let description: String
}

/// Waits for a condition, up to a deadline that is generous because machines are shared.
func eventually(
    _ what: String, within limit: Duration = .seconds(15), every pause: Duration = .milliseconds(3),
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: pause)
    }
    throw NeverHappened(description: "within \(limit): \(what)")
}
