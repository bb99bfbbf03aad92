import ContinuityCore

/// What somebody showed to say who they are, whether it is good or not.
enum ShownCredential: Hashable, Sendable {
    case nothing
    /// A token that nobody here knows: it may be a guess.
    case unknownToken(sha256: String)
    /// One that was valid once: no guess, but a machine or person who holds on to it.
    case endedToken(TokenID, owner: String)
    case token(sha256: String)
    case certificate(identity: String)

    /// Under which name failures from an address count. Each kind counts by itself: one broken
    /// machine holds up nobody else. Guesses have no name but their address.
    func failureKey(_ address: String) -> String {
        switch self {
        case .nothing: "nothing \(address)"
        case .unknownToken, .token: "token \(address)"
        case .endedToken(let id, _): "\(id) \(address)"
        case .certificate(let identity): "certificate \(identity) \(address)"
        }
    }

    /// For log and journal; `nil`: nothing is known of it.
    var name: String? {
        switch self {
        case .nothing, .unknownToken, .token: nil
        case .endedToken(let id, let owner): "token \(id) of \(owner)"
        case .certificate(let identity):
            "certificate \(WireBounds.text(identity, bytes: WireBounds.nameBytesMax))"
        }
    }

    /// Whether it must wait while its failures are held against it. A certificate is not guessed:
    /// refusing it costs nothing, and its owner is told why each time.
    var waits: Bool {
        switch self {
        case .unknownToken, .endedToken, .token: true
        case .nothing, .certificate: false
        }
    }
}
