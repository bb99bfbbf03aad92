/// Why no response came. Messages name scheme, host and port at most, and no header or query.
package struct HTTPError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Open: more may come, so a `switch` needs a default.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        package let description: String

        /// The request itself is wrong; sending it again cannot help.
        package static let invalidRequest = Code(description: "invalid_request")
        package static let resolveFailed = Code(description: "resolve_failed")
        package static let connectFailed = Code(description: "connect_failed")
        /// The name leads to an address that the request's policy forbids. Nothing was sent.
        package static let addressRefused = Code(description: "address_refused")
        package static let tls = Code(description: "tls")
        package static let timedOut = Code(description: "timed_out")
        /// The connection ended before the response did.
        package static let connectionLost = Code(description: "connection_lost")
        /// What came was not HTTP.
        package static let badResponse = Code(description: "bad_response")
        /// Body or headers exceed their bound.
        package static let tooLarge = Code(description: "too_large")
        /// The task that sent it was cancelled.
        package static let cancelled = Code(description: "cancelled")
        /// The client's queue is full.
        package static let overloaded = Code(description: "overloaded")
        package static let shutDown = Code(description: "shut_down")
        package static let other = Code(description: "other")
    }

    package let code: Code
    package let message: String
    /// Whether any byte of the request may have reached the other side. `false` is certain: an
    /// effect that the request asks for has not happened.
    package let mayHaveBeenSent: Bool

    package init(_ code: Code, _ message: String, mayHaveBeenSent: Bool = false) {
        self.code = code
        self.message = message
        self.mayHaveBeenSent = mayHaveBeenSent
    }

    package var description: String { "\(code): \(message)" }
}
