import CLinux
import ContinuityCore
import ContinuityCrypto
import Glibc

/// What one invocation gave.
struct InvocationResult: Sendable {
    var outcome: HookOutcome
    var coverage = HookCoverage()

    init(_ outcome: HookOutcome) { self.outcome = outcome }
}

/// One invocation from request to outcome, on one worker. Blocks its thread, never longer than the
/// wall budget for a worker to be free, the wall budget itself, and a second to learn how the
/// worker ended.
struct InvocationSession: Sendable {
    /// Two lists of as many numbers as the largest script has lines.
    static let coverageBytesMax = 4 << 20
    /// How long to wait for the end of a worker that was killed.
    static let endTimeoutNs: Int64 = 1_000_000_000

    let invocation: HookInvocation
    let configuration: [String: JSONValue]
    let broker: any HookBroker
    let supervisor: SandboxSupervisor
    let coversLines: Bool
    /// SHA-256 over the canonical input, as bytes.
    let inputDigest: [UInt8]

    init(
        _ invocation: HookInvocation, configuration: [String: JSONValue],
        broker: any HookBroker, supervisor: SandboxSupervisor, coversLines: Bool
    ) {
        self.invocation = invocation
        self.configuration = configuration
        self.broker = broker
        self.supervisor = supervisor
        self.coversLines = coversLines
        inputDigest = SHA256.digest(
            CanonicalJSON.bytes([
                "conf": .object(configuration), "ctx": invocation.context,
                "entry": .string(invocation.entry),
            ]))
    }

    func outcome(
        _ status: HookOutcome.Status, limit: String? = nil, error: String? = nil
    ) -> HookOutcome {
        HookOutcome(
            status: status, limit: limit, error: error,
            scriptSHA256: invocation.pack.scriptSHA256,
            manifestSHA256: invocation.pack.manifestSHA256,
            inputSHA256: hexString(inputDigest),
            grantSHA256: invocation.grant.sha256.isEmpty ? nil : invocation.grant.sha256)
    }

    /// Calls `answer` once, as soon as the result is there; the worker is cleared away after that.
    func run(answer: (InvocationResult) -> Void) {
        let wallNs = invocation.wallMs * 1_000_000
        guard let worker = supervisor.lease(deadlineNs: continuity_monotonic_ns() + wallNs) else {
            return answer(
                InvocationResult(
                    outcome(.crash, error: "no sandbox worker came within \(invocation.wallMs) ms"))
            )
        }
        answer(run(on: worker, wallNs: wallNs))
        supervisor.retire(worker)
    }

    private func run(on worker: SandboxWorker, wallNs: Int64) -> InvocationResult {
        let startNs = continuity_monotonic_ns()
        var calls = HostCalls(invocation, broker: broker, deadlineNs: startNs + wallNs)
        var told = WorkerTold(logBytesMax: invocation.pack.manifest.budgets.logBytes)
        var result = converse(
            with: worker, deadlineNs: startNs + wallNs, calls: &calls, told: &told)
        if let denial = calls.denial, result.status == .failed || result.status == .error {
            result.status = .denied
            result.error = [denial, result.error].compactMap(\.self).joined(separator: "\n")
        }
        result.logs = told.logs
        result.effects = calls.effects
        result.reads = calls.reads.isEmpty ? nil : calls.reads
        result.usage.wallUs = (continuity_monotonic_ns() - startNs) / 1000
        var all = InvocationResult(result)
        all.coverage = told.coverage
        return all
    }

    /// What the worker offers on `ctx`: it knows no call by itself.
    private static let operations: JSONValue = .array(
        CapabilityCatalogue.operations.map { .string($0.name) })

    // MARK: The conversation

    private func converse(
        with worker: SandboxWorker, deadlineNs: Int64, calls: inout HostCalls,
        told: inout WorkerTold
    ) -> HookOutcome {
        let budgets = invocation.pack.manifest.budgets
        var channel = WorkerChannel(
            socket: worker.socket,
            frameBytesMax: Int(budgets.outputBytes + 6 * budgets.logBytes) + (128 << 10)
                + (coversLines ? Self.coverageBytesMax : 0),
            deadlineNs: deadlineNs)
        do throws(WorkerChannel.Failure) {
            try channel.send(request)
            while true {
                switch try channel.receive() {
                case .log(let line):
                    guard told.log(line) else { return ended(worker, limit: "log") }
                case .coverage(let lines): told.begin(lines)
                case .line(let line): told.ran(line)
                case .call(let name, let arguments):
                    switch calls.perform(name: name, arguments: arguments) {
                    case .reply(let reply): try channel.send(reply.json)
                    case .limit: return ended(worker, limit: "host_calls")
                    case .timeout: throw .timeout
                    }
                case .done(let verdict):
                    return outcome(of: verdict)
                }
            }
        } catch {
            switch error {
            case .timeout:
                let result = ended(worker, limit: "wall")
                channel.drain(into: &told)
                return result
            case .unusable(let what):
                _ = continuity_pidfd_kill(worker.pidfd)
                var result = outcome(.error, error: what)
                result.usage.cpuUs = end(of: worker)?.cpuUs ?? 0
                return result
            case .closed: return crashed(worker)
            case .malformed(let what):
                return outcome(.crash, error: "the sandbox worker sent \(what)")
            }
        }
    }

    private var request: JSONValue {
        guard coversLines, case .object(var members) = plainRequest else { return plainRequest }
        members["coverage"] = true
        return .object(members)
    }

    private var plainRequest: JSONValue {
        let manifest = invocation.pack.manifest
        let budgets = manifest.budgets
        return [
            "script": .string(invocation.pack.script),
            "chunk": .string("=\(manifest.name)/\(HookPack.scriptFile)"),
            "entry": .string(invocation.entry),
            "kind": .string(manifest.kind.rawValue),
            "ctx": invocation.context,
            "conf": .object(configuration),
            "operations": manifest.kind == .policy ? [] : Self.operations,
            "seed": [.int(seed(at: 0)), .int(seed(at: 8))],
            "limits": [
                "instructions": .int(budgets.instructions),
                "memory_bytes": .int(budgets.memoryBytes),
                "output_bytes": .int(budgets.outputBytes),
                "log_bytes": .int(budgets.logBytes),
                "cpu_ms": .int(budgets.cpuMs),
            ],
        ]
    }

    private func seed(at offset: Int) -> Int64 {
        inputDigest.withUnsafeBytes { bytes in
            Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self))
        }
    }

    // MARK: How it ended

    private func outcome(of verdict: WorkerVerdict) -> HookOutcome {
        var result = outcome(verdict.status, limit: verdict.limit, error: verdict.error)
        result.usage = HookUsage(
            instructions: verdict.instructions, memoryBytes: verdict.memoryBytes,
            cpuUs: verdict.cpuUs)
        guard verdict.status == .ok else { return result }
        if invocation.pack.manifest.kind == .policy, let problem = Self.problem(of: verdict.value) {
            result.status = .error
            result.error = problem
            return result
        }
        result.value = verdict.value
        return result
    }

    private static func problem(of value: JSONValue) -> String? {
        guard let verdict = value["verdict"]?.string,
            ["allow", "deny", "abstain"].contains(verdict)
        else {
            return "a policy must return {verdict = \"allow\"|\"deny\"|\"abstain\", reason = …}"
        }
        guard value["reason"]?.string != nil || verdict != "deny" else {
            return "a policy that denies must give a reason"
        }
        return nil
    }

    /// Kills the worker at a limit that this side holds.
    private func ended(_ worker: SandboxWorker, limit: String) -> HookOutcome {
        _ = continuity_pidfd_kill(worker.pidfd)
        var result = outcome(.limit, limit: limit, error: speedNote(limit))
        result.usage.cpuUs = end(of: worker)?.cpuUs ?? 0
        return result
    }

    /// What to say of a limit that the same call may not reach on another machine, or at another
    /// time. The other limits count what the script does, and end it at the same place everywhere.
    private func speedNote(_ limit: String) -> String? {
        let budgets = invocation.pack.manifest.budgets
        switch limit {
        case "cpu":
            return "\(budgets.cpuMs) ms of processor time are used up (budgets.cpu_ms); how far a "
                + "script gets in them depends on the machine's speed"
        case "wall":
            return "\(invocation.wallMs) ms have passed (budgets.wall_ms, or the binding's "
                + "timeout_ms); how far a script gets in them depends on the machine's speed and "
                + "load, and on who answers its calls"
        default: return nil
        }
    }

    private func end(of worker: SandboxWorker) -> WorkerEnd? {
        supervisor.end(
            of: worker, deadlineNs: continuity_monotonic_ns() + Self.endTimeoutNs)
    }

    /// The worker closed its socket without a last word: its wait status is the only witness.
    private func crashed(_ worker: SandboxWorker) -> HookOutcome {
        guard let end = end(of: worker) else {
            return outcome(.crash, error: "the sandbox ended during the invocation")
        }
        var result: HookOutcome
        switch end.signal {
        case nil where WorkerEnd.limitStatuses[end.status] != nil:
            result = outcome(.limit, limit: WorkerEnd.limitStatuses[end.status])
        case SIGPROF, SIGXCPU:
            result = outcome(.limit, limit: "cpu", error: speedNote("cpu"))
        case SIGSYS:
            result = outcome(.crash, error: "the sandbox stopped a forbidden system call")
        case .some(let signal):
            result = outcome(.crash, error: "the sandbox worker was ended by signal \(signal)")
        case nil:
            result = outcome(
                .crash, error: "the sandbox worker ended by itself with status \(end.status)")
        }
        result.usage.cpuUs = end.cpuUs
        return result
    }
}
