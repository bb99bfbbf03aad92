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
        let invocation = HookInvocation(
            pack: pack, stage: entry, context: context, configuration: configuration,
            grant: grant ?? pack.manifest.capabilities.fullGrant)
        let outcome = await runtime.invoke(invocation, broker: RecordingBroker(replies: replies))
        return (outcome, expectation.differences(from: outcome))
    }
}
