import ContinuityConfig
import ContinuityCore
import ContinuityHooks
import ContinuityServer
import ContinuitySimulation
import Foundation
import Synchronization

/// Runs the packs of a policy in the sandbox, for what a simulated cluster asks of them.
struct SimulationPacks: SimulatedHooks {
    let packs: [String: HookPack]
    let runtime: HookRuntime

    /// The packs that the policy binds and the folders hold, written into the policy as `serve`
    /// would.
    ///
    /// - Throws: `ConfigError` for a pack that `serve` would refuse.
    static func bind(
        _ policy: inout FailoverPolicy, policyFile: String, folders: [String],
        ceiling: HookBudgets
    ) throws -> [String: HookPack] {
        let wanted = Set(policy.hooks.map(\.pack))
        guard !wanted.isEmpty else { return [:] }
        var packs: [String: HookPack] = [:]
        for folder in try folders.flatMap(PackFolders.packs(in:)) {
            let name = URL(fileURLWithPath: folder).lastPathComponent
            do {
                let pack = try HookPack.load(folder: folder, ceiling: ceiling)
                if wanted.contains(pack.manifest.name) { packs[pack.manifest.name] = pack }
            } catch {
                // One that nobody binds is nobody's business here.
                guard wanted.contains(name) else { continue }
                throw error
            }
        }
        for index in policy.hooks.indices {
            guard let pack = packs[policy.hooks[index].pack] else { continue }
            if let problem = ServerConfiguration.problem(of: policy.hooks[index], with: pack) {
                throw ConfigError(
                    file: policyFile, line: nil, message: "hooks[\(index)]: \(problem.message)",
                    remedy: problem.remedy)
            }
            ServerConfiguration.bind(&policy.hooks[index], to: pack)
        }
        return packs
    }

    /// Runs a simulation on a thread of its own, which may wait for the sandbox.
    static func run<Report: Sendable>(
        _ packs: [String: HookPack], _ sandbox: HookSandboxOptions,
        _ simulate: @escaping @Sendable (any SimulatedHooks) -> Report
    ) async throws -> Report {
        guard !packs.isEmpty else { return simulate(AssumedHooks(reason: Self.noPack)) }
        return try await sandbox.withRuntime { runtime in
            let hooks = SimulationPacks(packs: packs, runtime: runtime)
            return await withCheckedContinuation { continuation in
                Thread.detachNewThread { continuation.resume(returning: simulate(hooks)) }
            }
        }
    }

    private static let noPack = "no pack of this name is in the folders ('--packs')"

    func answer(_ call: HookCall) -> SimulatedAnswer {
        guard let pack = packs[call.binding.pack] else { return .assumed(call, Self.noPack) }
        let broker = SimulationBroker(nowMs: call.context["now_ms"]?.int ?? 0)
        let outcome: HookOutcome
        do {
            let grant = try call.binding.grant.map { json throws(ConfigError) in
                try HookGrant(json: json)
            }
            let invocation = HookInvocation(
                // Simulated time stands still meanwhile: only the script's own work is bounded.
                pack: pack.withLongestTimes, stage: call.binding.stage, context: call.context,
                configuration: call.binding.configuration, grant: grant ?? HookGrant())
            outcome = runtime.waitForOutcome(invocation, broker: broker)
        } catch {
            outcome = HookOutcome(status: .denied, error: "its grant is not understood: \(error)")
        }
        if let reading = broker.unanswered {
            return .assumed(call, "it reads from outside (\(reading)), which nobody simulates")
        }
        return SimulatedAnswer(outcome: outcome, assumption: nil)
    }
}

/// Effects are answered as if they had been done; readings from outside have no answer.
private final class SimulationBroker: HookBroker {
    private let nowMs: Int64
    private let reading = Mutex<String?>(nil)

    init(nowMs: Int64) { self.nowMs = nowMs }

    /// The first reading that had no answer.
    var unanswered: String? { reading.withLock(\.self) }

    func perform(_ call: HookHostCall) async -> HookHostReply {
        if call.name == "now" { return .ok(.int(nowMs)) }
        if call.isEffect { return .wouldDo(CapabilityCatalogue.stub(call.name)) }
        reading.withLock { $0 = $0 ?? call.name }
        return .failed(message: "nobody answers in a simulation", code: "unavailable")
    }
}

extension HookRuntime {
    /// Blocks the calling thread, which must not be one of the cooperative pool.
    fileprivate func waitForOutcome(
        _ invocation: HookInvocation, broker: any HookBroker
    ) -> HookOutcome {
        let done = DispatchSemaphore(value: 0)
        let outcome = Mutex<HookOutcome?>(nil)
        Task.detached { [self] in
            let value = await invoke(invocation, broker: broker)
            outcome.withLock { $0 = value }
            done.signal()
        }
        done.wait()
        return outcome.withLock(\.self)
            ?? HookOutcome(status: .crash, error: "the sandbox gave no outcome")
    }
}
