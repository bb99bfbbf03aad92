import FoundationEssentials
import Glibc

/// A primary and its standbys on one machine, each in its own folder.
package struct PostgresCluster: Sendable {
    package let nodes: [PostgresNode]
    package let password: String

    /// - Parameters:
    ///   - folder: exists, and the server's user can pass through it.
    ///   - ports: free loopback ports, one for each node.
    ///   - password: of the superuser, for connections over TCP.
    ///   - places: one for each node; all on the loopback interface when there are none.
    package init(
        installation: PostgresInstallation, folder: String, nodeIDs: [String], ports: [Int],
        password: String, places: [PostgresPlace]? = nil
    ) {
        precondition(!nodeIDs.isEmpty && nodeIDs.count == ports.count)
        precondition(places.map { $0.count == ports.count } ?? true)
        self.nodes = nodeIDs.indices.map { index in
            PostgresNode(
                installation: installation, id: nodeIDs[index],
                folder: "\(folder)/\(nodeIDs[index])", port: ports[index],
                place: places?[index] ?? .loopback)
        }
        self.password = password
    }

    package func node(_ id: String) -> PostgresNode? { nodes.first { $0.id == id } }

    /// Sets up every node and starts it: the first as primary, the others as its standbys.
    ///
    /// - Throws: `PostgresError` with the end of the output or log of what failed. What was
    ///   started by then still runs; `stop()` ends it.
    package func create() async throws {
        for node in nodes { try prepareFolder(of: node) }
        let primary = nodes[0]
        try await initialise(primary)
        try await start(primary)
        try await withThrowingTaskGroup { group in
            for standby in nodes.dropFirst() {
                group.addTask {
                    try await copy(primary, to: standby)
                    try await start(standby)
                }
            }
            try await group.waitForAll()
        }
        try await waitUntilStreaming(from: primary, count: nodes.count - 1)
    }

    private func prepareFolder(of node: PostgresNode) throws {
        let installation = node.installation
        try installation.makeFolder(node.folder)
        try installation.makeFolder(node.socketDirectory)
        try installation.makeFolder("\(node.folder)/etc")
        let files: [(String, String)] = [
            (PostgresSettings.configuration(of: node), node.configFile),
            (PostgresSettings.accessRules(of: node), node.accessFile),
            ("", node.identFile),
            (
                "*:*:*:\(Quote.passfileField(node.user)):\(Quote.passfileField(password))\n",
                node.passfile
            ),
            (password + "\n", "\(node.folder)/etc/password"),
        ]
        for (text, path) in files { try installation.write(text, to: path, mode: 0o600) }
    }

    private func initialise(_ node: PostgresNode) async throws {
        try await Program.mustRun(
            node.installation.serverProgram(
                "initdb",
                [
                    "-D", node.dataDirectory, "-U", node.user, "--data-checksums", "--no-sync",
                    "--no-instructions", "--encoding=UTF8", "--locale=C.UTF-8",
                    "--auth-local=trust", "--auth-host=scram-sha-256",
                    "--pwfile=\(node.folder)/etc/password",
                ]))
    }

    private func copy(_ primary: PostgresNode, to standby: PostgresNode) async throws {
        let connection = standby.connection(toHost: primary.place.host, port: "\(primary.port)")
        try await PostgresBaseBackup(
            installation: standby.installation, source: connection,
            target: standby.dataDirectory, isSynced: false, launcher: standby.place.launcher
        ).run()
        try PostgresRejoin.makeStandby(
            standby.installation, dataDirectory: standby.dataDirectory, of: connection)
    }

    private func start(_ node: PostgresNode) async throws {
        do {
            try await Program.mustRun(node.place.launcher + node.startCommand)
        } catch let error as PostgresError {
            throw PostgresError(
                "\(node.id): \(error.message)", details: node.logTail(orElse: error.details))
        }
    }

    /// Waits until so many standbys stream from a primary.
    package func waitUntilStreaming(
        from primary: PostgresNode, count: Int, limit: Duration = .seconds(20)
    ) async throws {
        let query = primary.psql(
            "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
        let held = try await poll(for: limit) {
            let answer = try await Program.run(query, timeout: .seconds(5))
            return (answer.output.split(separator: "\n").first.flatMap { Int($0) } ?? 0) >= count
        }
        guard held else {
            throw PostgresError(
                "fewer than \(count) standbys stream from \(primary.id) after \(limit)",
                details: primary.logTail())
        }
    }

    /// Stops every server, at once and for good: nothing of them is left when this returns.
    package func stop() async {
        await withDiscardingTaskGroup { group in
            for node in nodes {
                group.addTask { _ = try? await node.processes.kill() }
            }
        }
    }
}

extension PostgresNode {
    /// The server's processes, alive or not.
    package var processes: PostgresProcesses { PostgresProcesses(dataDirectory: dataDirectory) }

    /// The last lines of the server's log, or `other` when there is none.
    package func logTail(orElse other: String = "") -> String {
        guard let text = try? String(contentsOfFile: logFile, encoding: .utf8), !text.isEmpty else {
            return other
        }
        return Program.lastLines(of: text)
    }
}
