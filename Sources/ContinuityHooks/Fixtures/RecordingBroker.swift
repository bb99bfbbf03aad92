package import ContinuityCore
import Synchronization

/// A broker that carries nothing out: it answers from a list and keeps what it was asked. For
/// fixtures and for tests.
package final class RecordingBroker: HookBroker {
    private struct State {
        var replies: [HookHostReply]
        var answers: [HookFixtureAnswer]
        var calls: [HookHostCall] = []
    }

    private let state: Mutex<State>
    private let nowMs: Int64
    private let isStrict: Bool

    /// - Parameter replies: the answers in order; after the last one every call succeeds.
    ///   Where `answers` are given, they come first.
    package init(
        replies: [HookHostReply] = [], answers: [HookFixtureAnswer] = [], nowMs: Int64 = 0
    ) {
        state = Mutex(State(replies: replies, answers: answers))
        self.nowMs = nowMs
        isStrict = !answers.isEmpty
    }

    package var calls: [HookHostCall] { state.withLock(\.calls) }

    package func perform(_ call: HookHostCall) async -> HookHostReply {
        if call.name == "now" { return .ok(.int(nowMs)) }
        return state.withLock { state in
            state.calls.append(call)
            if isStrict {
                let fitting = state.answers.indices.filter { state.answers[$0].fits(call) }
                if let index = fitting.first {
                    let reply = state.answers[index].reply
                    if fitting.count > 1 { state.answers.remove(at: index) }
                    return reply
                }
                if call.isEffect { return .ok(CapabilityCatalogue.stub(call.name)) }
                return .failed(
                    message: "the fixture has no answer for this \(call.name)", code: "unavailable")
            }
            return state.replies.isEmpty ? .ok(.null) : state.replies.removeFirst()
        }
    }
}

extension HookFixture {
    /// Runs this fixture in the sandbox. The differences are for people; none means it passed.
    package func run(
        _ pack: HookPack, in runtime: HookRuntime
    ) async -> (outcome: HookOutcome, differences: [String]) {
        let outcome = await runtime.invoke(invocation(of: pack), broker: fakeBroker)
        return (outcome, expectation.differences(from: outcome))
    }

    /// `run`, and which lines of the script it reached.
    package func runWithCoverage(
        _ pack: HookPack, in runtime: HookRuntime
    ) async -> (differences: [String], coverage: HookCoverage) {
        let result = await runtime.invokeWithCoverage(
            invocation(of: pack), broker: fakeBroker)
        return (expectation.differences(from: result.outcome), result.coverage)
    }

    private var fakeBroker: RecordingBroker {
        RecordingBroker(replies: replies, answers: answers, nowMs: context["now_ms"]?.int ?? 0)
    }

    /// Answers come at once here, so only a fixture about time is held to times.
    private func invocation(of pack: HookPack) -> HookInvocation {
        let isAboutTime = HookOutcome.limitsOfSpeed.contains(expectation.limit ?? "")
        return HookInvocation(
            pack: isAboutTime ? pack : pack.withLongestTimes, stage: entry, context: context,
            configuration: configuration,
            grant: grant ?? pack.manifest.capabilities.fullGrant)
    }
}
