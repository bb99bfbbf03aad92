import ContinuityCore

/// One run as its entries tell it: each figure with the place where it stands.
struct RunStory {
    /// A figure and its source.
    struct Figure: Encodable {
        var name: String
        var value: JSONValue
        var seq: Int64
        /// A JSON pointer (RFC 6901) into the entry's line in `entries.jsonl`.
        var pointer: String
    }

    struct HookCallRecord: Encodable {
        var seq: Int64
        var operation: String
        var stage: String
        var pack: String
        var digests: HookDigests?
        /// `nil`: its result was never heard.
        var resultSeq: Int64?
        var status: String?
        var inputSHA256: String?
        var scriptSHA256: String?
        var manifestSHA256: String?
        var grantSHA256: String?
        var durationMs: Int64?
        var effects: [Effect] = []

        struct Effect: Encodable {
            var seq: Int64
            var call: String
            var arguments: JSONValue
        }

        enum CodingKeys: String, CodingKey {
            case seq, operation, stage, pack, digests
            case resultSeq = "result_seq"
            case status
            case inputSHA256 = "input_sha256"
            case scriptSHA256 = "script_sha256"
            case manifestSHA256 = "manifest_sha256"
            case grantSHA256 = "grant_sha256"
            case durationMs = "duration_ms"
            case effects
        }
    }

    struct Located<Body> {
        let seq: Int64
        let atMs: Int64
        let body: Body
    }

    private(set) var clusterID: ClusterID?
    private(set) var requested: Located<RunRequested>
    private(set) var admitted: Located<RunAdmitted>?
    private(set) var fence: Located<FenceProven>?
    private(set) var change: Located<PrimaryChanged>?
    private(set) var verified: Located<RunVerified>?
    private(set) var finished: Located<RunFinished>
    private(set) var intended: [Located<Operation>] = []
    private(set) var results: [OperationKey: Located<OperationFinished>] = [:]
    private(set) var hooks: [HookCallRecord] = []
    private(set) var checkpoint: Checkpoint?
    private(set) var redacted: [Int64] = []
    /// Approvals, whatever version of the journal wrote them, as they stand.
    private(set) var approvals: [PackEntry] = []
    private(set) var asked: Located<PendingApproval>?
    private(set) var consents: [Located<ApprovalGiven>] = []

    /// - Throws: ``JournalFault`` when request or end of the run are missing, or cannot be read.
    init(_ entries: [PackEntry]) throws(JournalFault) {
        var requested: Located<RunRequested>?
        var finished: Located<RunFinished>?
        var parts = Parts()
        for entry in entries {
            if entry.redacted == true { redacted.append(entry.seq) }
            if entry.kind.hasPrefix("approval"), entry.body != nil {
                approvals.append(entry)
            }
            guard let content = try entry.content() else { continue }
            func at<Body>(_ body: Body) -> Located<Body> {
                Located(seq: entry.seq, atMs: entry.link.atMs, body: body)
            }
            switch content {
            case .runRequested(let body):
                requested = at(body)
                clusterID = entry.link.clusterID
            case .runAdmitted(let body): admitted = at(body)
            case .fenceProven(let body): fence = at(body)
            case .primaryChanged(let body): change = at(body)
            case .runVerified(let body): verified = at(body)
            case .runFinished(let body): finished = at(body)
            case .operationIntended(let body): intended.append(at(body.operation))
            case .operationFinished(let body): results[body.operation] = at(body)
            case .hookEffectIntended(let body):
                parts.effects[body.operation, default: []].append(
                    .init(seq: entry.seq, call: body.call, arguments: body.arguments))
            case .approvalRequested(let body): asked = at(body.approval)
            case .approvalGiven(let body): consents.append(at(body))
            case .checkpointSigned(let body): checkpoint = body
            default: break
            }
        }
        guard let requested, let finished else {
            throw JournalFault(
                seq: entries.first?.seq ?? 0, reason: "the run's request or its end is missing")
        }
        (self.requested, self.finished) = (requested, finished)
        hooks = Self.hooks(intended, results, parts.effects)
    }

    private struct Parts {
        var effects: [OperationKey: [HookCallRecord.Effect]] = [:]
    }

    private static func hooks(
        _ intended: [Located<Operation>], _ results: [OperationKey: Located<OperationFinished>],
        _ effects: [OperationKey: [HookCallRecord.Effect]]
    ) -> [HookCallRecord] {
        intended.filter { $0.body.kind == .hook }.map { call in
            let result = results[call.body.key]
            let hook = result?.body.result.hook
            return HookCallRecord(
                seq: call.seq, operation: call.body.key.rawValue,
                stage: call.body.stage?.rawValue ?? "", pack: call.body.pack ?? "",
                digests: call.body.digests, resultSeq: result?.seq,
                status: hook?.status.rawValue ?? result?.body.result.outcome.rawValue,
                inputSHA256: hook?.inputSHA256, scriptSHA256: hook?.scriptSHA256,
                manifestSHA256: hook?.manifestSHA256, grantSHA256: hook?.grantSHA256,
                durationMs: result?.body.result.durationMs, effects: effects[call.body.key] ?? [])
        }
    }

    // MARK: L19

    /// Every figure that the report states, in the order in which it does.
    var figures: [Figure] {
        var figures: [Figure] = []
        func add(_ name: String, _ value: JSONValue, _ seq: Int64, _ pointer: String) {
            figures.append(Figure(name: name, value: value, seq: seq, pointer: pointer))
        }
        let plan = requested.body.plan
        let start = requested.seq
        add("run_id", .string(requested.body.runID.rawValue), start, "/body/run_id")
        add("requested_at_ms", .int(requested.atMs), start, "/at_ms")
        add("requested_by", .string(requested.body.requestedBy), start, "/body/requested_by")
        add("trigger", .string(requested.body.trigger.rawValue), start, "/body/trigger")
        add("plan_id", .string(plan.planID.rawValue), start, "/body/plan/plan_id")
        add("from", .string(plan.primaryNodeID.rawValue), start, "/body/plan/primary_node_id")
        add("to", .string(plan.failoverTargetID.rawValue), start, "/body/plan/failover_target_id")
        add("predicted_ms", .int(plan.estimatedTotalMs), start, "/body/plan/estimated_total_ms")
        add("deadline_ms", .int(plan.maxFailoverTimeMs), start, "/body/plan/max_failover_time_ms")
        if let fence {
            add("fence_proof", .string(fence.body.proof.rawValue), fence.seq, "/body/proof")
        }
        if let change { add("term", .int(change.body.term), change.seq, "/body/term") }
        let end = finished.seq
        add("state", .string(finished.body.state.rawValue), end, "/body/state")
        add("finished_at_ms", .int(finished.atMs), end, "/at_ms")
        add("duration_ms", .int(finished.body.durationMs), end, "/body/duration_ms")
        add("rto_ms", .int(finished.body.rtoMs), end, "/body/rto_ms")
        for (stage, ms) in finished.body.phasesMs.sorted(by: { $0.key < $1.key }) {
            add("phase_\(stage)_ms", .int(ms), end, "/body/phases_ms/\(stage)")
        }
        if let bottleneck = finished.body.bottleneck {
            add("bottleneck", .string(bottleneck.rawValue), end, "/body/bottleneck")
        }
        for hook in hooks {
            guard let seq = hook.resultSeq, let ms = hook.durationMs else { continue }
            add("hook_\(hook.pack)_\(hook.stage)_ms", .int(ms), seq, "/body/result/duration_ms")
        }
        if let verified {
            let found = verified.body.verification
            let root = "/body/verification"
            add("confidence", .int(found.confidence), verified.seq, root + "/confidence")
            add("band", .string(found.band.rawValue), verified.seq, root + "/band")
            for (index, deduction) in found.deductions.enumerated() {
                add(
                    "deduction_\(index + 1)_\(deduction.check.rawValue)", .int(deduction.points),
                    verified.seq, "\(root)/deductions/\(index)/points")
            }
        }
        return figures
    }
}
