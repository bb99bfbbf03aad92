package import ContinuityCore

/// Which lines of a pack's script ran in one invocation, for tests. Lines count from 1.
package struct HookCoverage: Hashable, Sendable {
    /// The active lines that ran, in order.
    package var executed: [Int]
    /// The lines that hold code, in order: those of functions that nothing called too. Code
    /// stands where Lua's compiler says: the definition of a local function on its last line.
    package var active: [Int]

    package init(executed: [Int] = [], active: [Int] = []) {
        self.executed = executed
        self.active = active
    }

    init?(_ json: JSONValue) {
        func lines(_ name: String) -> [Int]? {
            json[name]?.array?.compactMap { $0.int.map(Int.init) }
        }
        guard let executed = lines("executed"), let active = lines("active") else { return nil }
        self.init(executed: executed, active: active)
    }
}

extension HookRuntime {
    /// `invoke`, and which lines ran, however the invocation ended: a worker tells each line as it
    /// runs. Both lists are empty where the script was not compiled. The script runs slower, but
    /// its instructions are counted as always.
    package func invokeWithCoverage(
        _ invocation: HookInvocation, broker: any HookBroker
    ) async -> (outcome: HookOutcome, coverage: HookCoverage) {
        let result = await run(invocation, broker: broker, coversLines: true)
        return (result.outcome, result.coverage)
    }
}
