import ContinuityPostgres

/// The by-hand floor, measured as the faults are.
struct ByHandRounds {
    let probe: WriteProbe
    let cluster: PostgresCluster
    let console: Console
    private var primary: PostgresNode

    init(probe: WriteProbe, cluster: PostgresCluster, console: Console) {
        self.probe = probe
        self.cluster = cluster
        self.console = console
        primary = cluster.nodes[0]
    }

    mutating func run() async throws -> RunReport {
        let old = primary
        console.say("SIGKILL to the whole PostgreSQL of \(old.id); a standby is promoted by hand:")
        let fault = ContinuousClock.now
        try await old.processes.kill()
        let new = try await ByHand(cluster: cluster, primary: old).failOver()
        let orderedMs = (ContinuousClock.now - fault).milliseconds
        let seen = try await poll(every: .milliseconds(10), for: .seconds(20)) {
            OutageMeasurement(probe.acknowledgements, fault: fault, oldPrimary: old.id)
                .newPrimary != nil
        }
        guard seen else {
            throw DemoFailure(
                "no write was acknowledged after the promotion", details: new.logTail())
        }
        try await ByHand(cluster: cluster, primary: old).rejoin(old, to: new)
        try await cluster.waitUntilStreaming(from: new, count: cluster.nodes.count - 1)
        primary = new

        let measured = OutageMeasurement(
            probe.acknowledgements, fault: fault, oldPrimary: old.id)
        return RunReport(
            measured, lostAcknowledgedWrites: try await probe.lost(on: new).count,
            phasesMs: ["promote": orderedMs], fromNode: old.id, toNode: new.id)
    }
}
