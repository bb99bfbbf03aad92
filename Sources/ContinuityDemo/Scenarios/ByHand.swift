import ContinuityPostgres

/// The floor: a failover without continuity, ordered by hand at the instant of death.
///
/// Nobody detects, proves or records anything here; what remains is what PostgreSQL itself takes.
struct ByHand: Sendable {
    let cluster: PostgresCluster
    let primary: PostgresNode

    /// Promotes the standby that has received most, and makes the other one follow it.
    ///
    /// Both orders leave at once. The other standby must stream from the new primary before any
    /// commit is acknowledged, so its reconnection is as much a part of the outage as the
    /// promotion; asked before the promotion is done, it streams on from a standby and is handed
    /// over to the new timeline.
    ///
    /// - Returns: the new primary.
    func failOver() async throws -> PostgresNode {
        let standbys = cluster.nodes.filter { $0.id != primary.id }
        let positions = try await withThrowingTaskGroup(of: (String, Int64).self) { group in
            for standby in standbys {
                group.addTask {
                    let text = try await Program.mustRun(
                        standby.psql(
                            "SELECT (greatest(pg_last_wal_receive_lsn(), "
                                + "pg_last_wal_replay_lsn()) - '0/0')::bigint"))
                    return (standby.id, Int64(text.prefix { $0.isNumber }) ?? 0)
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        let target = standbys.max { (positions[$0.id] ?? 0) < (positions[$1.id] ?? 0) }
        guard let target else { throw PostgresError("there is no standby to promote") }
        try await withThrowingTaskGroup { group in
            group.addTask { try await Program.mustRun(target.promoteCommand) }
            for other in standbys where other.id != target.id {
                group.addTask {
                    try await Program.mustRun(
                        other.followCommand(host: "127.0.0.1", port: "\(target.port)"))
                }
            }
            try await group.waitForAll()
        }
        return target
    }

    /// Makes the old primary a standby of the new one.
    func rejoin(_ old: PostgresNode, to new: PostgresNode) async throws {
        try await PostgresRejoin(
            dataDirectory: old.dataDirectory, configFile: old.configFile, logFile: old.logFile,
            primary: old.connection(toHost: "127.0.0.1", port: "\(new.port)")
        ).run()
    }
}
