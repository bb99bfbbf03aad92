package import ContinuityCore

extension AgentCommand {
    /// When it must have ended: its sender counts from the sending, if it knows this clock.
    package func deadline(arrivedAt: BootInstant) -> BootInstant {
        let own = arrivedAt + max(1, timeoutMs)
        guard let notAfterMs, name != .status else { return own }
        return min(own, BootInstant(milliseconds: notAfterMs))
    }

    /// Why it is too late to begin, or `nil` when it is not. What only reads is never too late.
    package func lateness(at now: BootInstant) -> String? {
        guard name != .status, let notAfterMs, now.milliseconds > notAfterMs else { return nil }
        let lateMs = now.milliseconds -| notAfterMs
        return "it came \(SpanText.text(ms: lateMs)) after its sender had given up"
    }
}
