extension OrchestratorState {
    /// Of tokens that have ended, so many are remembered, the last ones; the journal has them all.
    package static let endedTokensMax = 1000

    mutating func forgetEndedTokens(atMs now: Int64) {
        // Not at each entry: a sort of some thousand is not free.
        guard tokens.count > Orchestrator.tokensMax + Self.endedTokensMax else { return }
        let ended = tokens.values.filter { !$0.isValid(atMs: now) }
            .sorted { ($0.endedAtMs, $0.tokenID) < ($1.endedAtMs, $1.tokenID) }
        for token in ended.dropLast(Self.endedTokensMax / 2) { tokens[token.tokenID] = nil }
    }
}

extension AccessToken {
    fileprivate var endedAtMs: Int64 { min(revokedAtMs ?? .max, expiresAtMs) }
}
