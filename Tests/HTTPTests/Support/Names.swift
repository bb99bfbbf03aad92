import ContinuityHTTP

// Hummingbird exports other types of these names; in these tests the client's are meant.
typealias HTTPRequest = ContinuityHTTP.HTTPRequest
typealias HTTPError = ContinuityHTTP.HTTPError
