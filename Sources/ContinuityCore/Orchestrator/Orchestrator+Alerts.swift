extension Orchestrator {
    /// Queues an alert for every channel, or for those that are named. Its id follows from
    /// journal, subject and discriminator: the same news has one id, and what another journal
    /// tells of the same run or at the same place has another. Receivers drop repetitions by it.
    mutating func queueAlert(
        type: String, severity: Alert.Severity, cluster: ClusterID, subject: String,
        summary: String, data: JSONValue, channels: [String] = [], discriminator: String,
        _ now: Moment
    ) {
        let seed = Array("\(state.origin)/\(cluster)/\(type)/\(subject)/\(discriminator)".utf8)
        let alert = Alert(
            alertID: AlertID("alert-" + digest.hex(seed).prefix(16)), type: type,
            severity: severity, clusterID: cluster, subject: subject, summary: summary,
            atMs: now.utcMs, data: data, channels: channels)
        emit(.alertQueued(AlertQueued(alert: alert)), cluster: cluster, now)
        for channel in state.pendingAlerts[alert.alertID]?.channels.sorted() ?? [] {
            release(.deliver(alert, channel: channel))
        }
    }

    mutating func queue(_ notification: HookNotification, _ now: Moment) {
        queueAlert(
            type: "continuity.hook.notification", severity: notification.severity,
            cluster: notification.clusterID,
            subject: notification.runID?.rawValue ?? notification.pack,
            summary: notification.summary,
            data: [
                "pack": .string(notification.pack),
                "operation": .string(notification.operation.rawValue),
                "detail": notification.data,
            ],
            channels: [notification.channel],
            discriminator: "\(notification.operation)/\(notification.index)", now)
    }

    mutating func settle(_ body: AlertDelivered, _ now: Moment) {
        guard let pending = state.pendingAlerts[body.alertID],
            pending.channels.contains(body.channel)
        else { return }
        emit(.alertDelivered(body), cluster: pending.alert.clusterID, now)
    }

    mutating func settle(_ body: AlertDead, _ now: Moment) {
        guard let pending = state.pendingAlerts[body.alertID],
            pending.channels.contains(body.channel)
        else { return }
        emit(.alertDead(body), cluster: pending.alert.clusterID, now)
    }
}
