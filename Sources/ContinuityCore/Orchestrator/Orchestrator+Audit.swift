/// What makes the journal hard to rewrite: checkpoints, and what its witnesses say of it.
extension Orchestrator {
    /// Journals a checkpoint of the present head; one of another head is not this journal's.
    mutating func keep(_ checkpoint: Checkpoint, _ now: Moment) {
        guard checkpoint.seq == state.head.seq, checkpoint.hash == state.head.hash else { return }
        emit(.checkpointSigned(checkpoint), cluster: nil, now)
    }

    mutating func take(_ alarm: WitnessAlarm, in cluster: ClusterID, _ now: Moment) {
        emit(.witnessAlarmed(alarm), cluster: cluster, now)
        guard state.clusters[cluster] != nil else { return }
        queueAlert(
            type: "continuity.audit.alarm", severity: .critical, cluster: cluster,
            subject: alarm.nodeID.rawValue,
            summary: "the journal is not what \(alarm.nodeID) witnessed: \(alarm.finding)",
            data: ["seq": .int(alarm.seq), "finding": .string(alarm.finding)],
            discriminator: "\(alarm.seq)/\(alarm.hash)/\(alarm.finding)/\(state.epoch)", now)
    }

    mutating func keep(_ restored: JournalRestored, _ now: Moment) {
        emit(.journalRestored(restored), cluster: nil, now)
        for cluster in state.clusters.keys.sorted() {
            queueAlert(
                type: "continuity.audit.restored", severity: .critical, cluster: cluster,
                subject: "journal",
                summary: "the journal was damaged (\(restored.damage)) and was restored from its "
                    + "backup; \(restored.salvaged) later entries were saved",
                data: .object([:]), discriminator: "\(restored.backupSeq)/\(state.head.seq)", now)
        }
    }
}
