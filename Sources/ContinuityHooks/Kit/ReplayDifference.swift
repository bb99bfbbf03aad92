package import ContinuityCore

/// Where a script decides or acts differently from its recording.
package struct ReplayDifference: Hashable, Sendable, Codable {
    /// `status`, `value`, `call 2` and so on.
    package var what: String
    package var recorded: String
    package var now: String
}

extension HookRecording {
    /// Runs the same call of `pack` on the recorded answers.
    ///
    /// It has the longest times, unless the recorded call ended at a limit of time: the script is
    /// compared, and not the two machines.
    ///
    /// - Returns: the new outcome, and in which points it differs. Times and digests do not count.
    package func replay(
        with pack: HookPack, in runtime: HookRuntime
    ) async -> (outcome: HookOutcome, differences: [ReplayDifference]) {
        let broker = ListeningBroker(ReplayBroker(calls))
        let isAboutTime = HookOutcome.limitsOfSpeed.contains(outcome.limit ?? "")
        var call = invocation(of: isAboutTime ? pack : pack.withLongestTimes)
        if !isAboutTime { call.timeoutMs = nil }
        let again = await runtime.invoke(call, broker: broker)
        var found: [ReplayDifference] = []
        func compare(_ what: String, _ then: String, _ now: String) {
            if then != now {
                found.append(ReplayDifference(what: what, recorded: then, now: now))
            }
        }
        compare("status", outcome.status.rawValue, again.status.rawValue)
        compare("limit", outcome.limit ?? "none", again.limit ?? "none")
        compare("value", Self.text(outcome.value), Self.text(again.value))
        if !isAboutTime { compare("error", Self.reason(outcome), Self.reason(again)) }
        for index in 0..<max(calls.count, broker.calls.count) {
            compare(
                "call \(index + 1)", Self.text(calls, index), Self.text(broker.calls, index))
        }
        for index in 0..<max(outcome.logs.count, again.logs.count) {
            func line(_ logs: [String]) -> String { index < logs.count ? logs[index] : "none" }
            compare("log \(index + 1)", line(outcome.logs), line(again.logs))
        }
        return (again, found)
    }

    private static func text(_ value: JSONValue) -> String {
        String(decoding: CanonicalJSON.bytes(value), as: UTF8.self)
    }

    /// Without the traceback, whose line numbers change with every edit.
    private static func reason(_ outcome: HookOutcome) -> String {
        outcome.error?.split(separator: "\n").first.map(String.init) ?? "none"
    }

    private static func text(_ calls: [Call], _ index: Int) -> String {
        index < calls.count ? "\(calls[index].name) \(text(calls[index].arguments))" : "none"
    }
}
