import ContinuityCore
import ContinuityTransport
import Foundation
import HTTPTypes
import Hummingbird

extension RunFacts {
    /// A run that has ended, in the predecessor's words and in ours.
    var execution: [String: JSONValue] {
        [
            "execution_id": .string(request.runID.rawValue),
            "plan_id": .string(plan.planID.rawValue), "success": .bool(isSuccess),
            "actions_executed": .int(Int64(actionsExecuted)),
            "actions_failed": .int(Int64(actionsFailed)),
            "total_duration_ms": end.map { .int($0.durationMs) } ?? .null,
            "status": .string(end?.state.rawValue ?? "running"),
            "reason": .string(end?.reason ?? ""),
        ]
    }

    var confidence: JSONValue { Self.confidence(verification?.confidence) }

    /// `null` where the run did not come as far as to be verified.
    static func confidence(_ score: Int64?) -> JSONValue {
        guard let score else { return .null }
        let band = Verification.Band(confidence: score)
        return ["score": .int(score), "band": .string(band.rawValue)]
    }

    func verificationAnswer() throws -> JSONValue {
        guard let verification else { return .null }
        return [
            "passed": .bool(verification.passed),
            "consistency_ok": .bool(verification.isOk(.consistency)),
            "policy_ok": .bool(verification.isOk(.policy)),
            "quorum_ok": .bool(verification.isOk(.quorum)),
            "deductions": try JSONValue(encoding: verification.deductions),
        ]
    }
}

/// `GET /audit?audit_id=…`: one run, from the journal.
extension APIServer {
    /// More entries than any run has between its beginning and its end, with those of others.
    private static let entriesMax = 50_000
    private static let page = 1000

    func auditAnswer(of id: RunID, _ context: APIContext) async throws -> Response {
        try await exchange("audit", context) { exchange in
            let unknown = Problem(
                .notFound, "no-such-run",
                "the journal has no run '\(id.rawValue.prefix(80))'; 'audit_id' is the "
                    + "'execution_id' of POST /execute")
            guard id.rawValue.wholeMatch(of: #/run-[0-9a-f]{16}/#) != nil,
                let first = try await Self.journaled({ try await orchestrator.beginning(of: id) }),
                context.caller.reaches(first.clusterID),
                case .runRequested(let body) = try? JournalBody(of: first), body.runID == id
            else { throw unknown }
            let facts = try await facts(RunFacts(body, atMs: first.atMs), after: first.seq)
            var execution = facts.execution
            execution["cluster_id"] = .string(first.clusterID?.rawValue ?? "")
            execution["kind"] = .string(body.kind.rawValue)
            execution["trigger"] = .string(body.trigger.rawValue)
            execution["requested_by"] = .string(body.requestedBy)
            execution["primary_node_id"] = .string(facts.plan.primaryNodeID.rawValue)
            execution["failover_target_id"] = .string(facts.plan.failoverTargetID.rawValue)
            let atMs = facts.endedAtMs ?? facts.requestedAtMs
            return exchange.answer([
                "audit_id": .string(id.rawValue), "timestamp": .string(Self.time(atMs)),
                "execution": .object(execution), "verification": try facts.verificationAnswer(),
                "confidence": facts.confidence,
            ])
        }
    }

    private func facts(_ begun: RunFacts, after seq: Int64) async throws -> RunFacts {
        var (facts, seq) = (begun, seq)
        let last = seq + Int64(Self.entriesMax)
        while facts.end == nil, seq < last {
            let after = seq
            let entries = try await Self.journaled {
                try await orchestrator.entries(after: after, limit: Self.page, waitMs: 0)
            }
            for entry in entries where facts.end == nil {
                if let body = try? JournalBody(of: entry) { facts.take(body, atMs: entry.atMs) }
            }
            guard let newest = entries.last else { break }
            seq = newest.seq
            await Task.yield()
        }
        return facts
    }

    private static func time(_ utcMs: Int64) -> String {
        Date(timeIntervalSince1970: Double(utcMs) / 1000)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
