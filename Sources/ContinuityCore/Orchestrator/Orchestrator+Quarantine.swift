/// A mistake of this program in one cluster must not end the process: every other cluster would be
/// without a leader, and the next start would make the same mistake again. The cluster is left
/// alone instead until a person has looked at it (`continuity resume`). Its leases are renewed.
extension Orchestrator {
    mutating func quarantine(
        _ id: ClusterID, _ run: RunState, _ fault: String, _ now: Moment
    ) {
        tellInternalFault(fault, of: run.runID, id, now)
        emit(
            .clusterQuarantined(ClusterQuarantined(runID: run.runID, reason: fault)),
            cluster: id, now)
    }

    mutating func tellInternalFault(
        _ fault: String, of run: RunID, _ id: ClusterID, _ now: Moment
    ) {
        precondition(!trapsOnInternalFault, "\(id): \(fault)")
        queueAlert(
            type: "continuity.internal_fault", severity: .critical, cluster: id,
            subject: run.rawValue,
            summary: "a mistake of continuity itself in \(id): \(fault). Report it with the "
                + "journal's entries of \(run)",
            data: ["run_id": .string(run.rawValue), "fault": .string(fault)],
            discriminator: String(state.head.seq), now)
    }
}

extension ClusterState {
    var holdOfQuarantine: Hold? {
        quarantine.map {
            Hold(
                rule: .internalFault,
                evidence: "\($0): report it, look after the cluster, then 'continuity resume'")
        }
    }
}
