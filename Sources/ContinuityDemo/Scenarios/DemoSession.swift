import ContinuityAlerts
import ContinuityHTTP
import ContinuityPostgres

/// Everything that one demo has running, and the questions that its scenarios ask of it.
struct DemoSession: Sendable {
    let options: DemoOptions
    let layout: DemoLayout
    let executable: String
    let console: Console
    let supervisor: ChildSupervisor
    let probe: WriteProbe
    let client: ControlClient
    let journal: JournalWatch
    let timeline: Timeline
    let receiver: AlertReceiver
    let serve: ChildProcess
    let nameServer: ChildProcess

    init(
        options: DemoOptions, layout: DemoLayout, executable: String, console: Console,
        http: HTTPClient = HTTPClient(maxConcurrent: 8)
    ) throws {
        self.options = options
        self.layout = layout
        self.executable = executable
        self.console = console
        supervisor = ChildSupervisor()
        probe = WriteProbe(nodes: layout.postgres.nodes)
        client = ControlClient(
            http: http, baseURL: layout.serveURL,
            credentials: layout.pki.credentials("person"))
        let timeline = Timeline(console: console)
        self.timeline = timeline
        journal = JournalWatch(client: client) { timeline.take($0) }
        receiver = AlertReceiver(
            port: layout.alertPort, secret: try WebhookSecret(parsing: layout.secrets.webhook)
        ) { delivery in
            timeline.tell("alert", "received, signature checked: \(delivery.summary)")
        }
        nameServer = Self.child(
            "named", layout.network.serveLauncher + layout.nameServer.argv, layout)
        serve = Self.makeServe(executable, layout)
    }

    private static func makeServe(_ executable: String, _ layout: DemoLayout) -> ChildProcess {
        child(
            "serve",
            layout.network.serveLauncher + [executable, "serve", "--config", layout.serveFile],
            layout)
    }

    /// Another `serve`, to take the place of one that was killed.
    func makeServe() -> ChildProcess { Self.makeServe(executable, layout) }

    func makeAgent(_ member: DemoLayout.Member) -> ChildProcess {
        Self.child(
            "agent-\(member.id)",
            member.postgres.place.launcher
                + [executable, "agent", "--config", layout.agentFile(member)], layout)
    }

    /// With `setpriv`, the kernel itself sends SIGTERM when the demo dies, however it dies.
    private static func child(
        _ name: String, _ argv: [String], _ layout: DemoLayout
    ) -> ChildProcess {
        ChildProcess(
            name: name, argv: DeathSignal.prefix + argv, logFile: layout.folder.log(name))
    }

    // MARK: Waiting

    /// Waits for something that must come, as long as every process that it needs is alive.
    ///
    /// - Parameter shortcoming: what is still missing; `nil` when it is there.
    /// - Throws: `DemoFailure` with the reason and the end of the logs.
    func expect(
        _ what: String, within limit: Duration, agents: [ChildProcess],
        _ shortcoming: () async throws -> String?
    ) async throws {
        var missing = ""
        let held = try await poll(every: .milliseconds(10), for: limit) {
            for child in agents + [serve, nameServer] {
                guard let end = child.unexpectedEnd else { continue }
                throw DemoFailure("\(child.name) ended (\(end))", details: child.logTail)
            }
            do {
                guard let text = try await shortcoming() else { return true }
                missing = text
            } catch let failure as DemoFailure {
                missing = failure.reason
            }
            return false
        }
        guard held else {
            throw DemoFailure(
                "\(what) did not come within \(limit.milliseconds / 1000) s: \(missing)",
                details: ([serve, nameServer] + agents).map(\.logTail).joined(separator: "\n"))
        }
    }

    /// Waits until the DNS record names a node, as `dig` sees it.
    func expectRecord(of nodeID: String, agents: [ChildProcess]) async throws {
        let wanted = NameServer.host(nodeID) + "."
        try await expect("the DNS record", within: .seconds(20), agents: agents) {
            let result = try await Program.run(
                [
                    "/usr/bin/dig", "+short", "+tries=1", "+time=1", "@127.0.0.1", "-p",
                    "\(layout.nameServer.port)", NameServer.serviceName, "CNAME",
                ], timeout: .seconds(5))
            let answer = result.output.split(separator: "\n").first.map(String.init) ?? "nothing"
            return answer == wanted ? nil : "\(NameServer.serviceName) is \(answer)"
        }
    }

    /// Waits until all three nodes are healthy, one primary and two that stream from it.
    func expectHealthy(within limit: Duration, agents: [ChildProcess]) async throws {
        try await expect("a HEALTHY cluster", within: limit, agents: agents) {
            try await client.status().shortcoming(nodes: layout.members.count)
        }
    }
}
