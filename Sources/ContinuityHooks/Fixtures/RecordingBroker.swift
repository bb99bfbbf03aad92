package import ContinuityCore
import Synchronization

/// A broker that carries nothing out: it answers from a list and keeps what it was asked. For
/// fixtures and for tests.
package final class RecordingBroker: HookBroker {
    private struct State {
        var replies: [HookHostReply]
        var calls: [HookHostCall] = []
    }

    private let state: Mutex<State>

    /// - Parameter replies: the answers in order; after the last one every call succeeds.
    package init(replies: [HookHostReply] = []) {
        state = Mutex(State(replies: replies))
    }

    package var calls: [HookHostCall] { state.withLock(\.calls) }

    package func perform(_ call: HookHostCall) async -> HookHostReply {
        state.withLock { state in
            state.calls.append(call)
            return state.replies.isEmpty ? .ok(.null) : state.replies.removeFirst()
        }
    }
}

extension HookFixture {
    /// Runs this fixture in the sandbox. The differences are for people; none means it passed.
    package func run(
        _ pack: HookPack, in runtime: HookRuntime
    ) async -> (outcome: HookOutcome, differences: [String]) {
        let broker = RecordingBroker(replies: replies)
        let outcome = await runtime.invoke(invocation(of: pack), broker: broker)
        return (outcome, expectation.differences(from: outcome))
    }

    /// `run`, and which lines of the script it reached.
    package func runWithCoverage(
        _ pack: HookPack, in runtime: HookRuntime
    ) async -> (differences: [String], coverage: HookCoverage) {
        let broker = RecordingBroker(replies: replies)
        let result = await runtime.invokeWithCoverage(invocation(of: pack), broker: broker)
        return (expectation.differences(from: result.outcome), result.coverage)
    }

    private func invocation(of pack: HookPack) -> HookInvocation {
        HookInvocation(
            pack: pack, stage: entry, context: context, configuration: configuration,
            grant: grant ?? pack.manifest.capabilities.fullGrant)
    }
}
