import ContinuityCore
import ContinuityHTTP
import ContinuityPostgres
import Foundation
import Glibc

@testable import ContinuityDemo

/// A whole cluster in a `NetworkLab`: PostgreSQL, agent and guard on each node, `serve` on the
/// switch, and a client that writes beside every node all the time.
final class Bench: Sendable {
    let lab: NetworkLab
    let layout: DemoLayout
    let session: DemoSession
    let http: HTTPClient
    private let processes: Processes

    /// Whoever is running at the moment under each name.
    private actor Processes {
        var agents: [String: ChildProcess] = [:]
        var serve: ChildProcess?
        func set(_ id: String, _ agent: ChildProcess) { agents[id] = agent }
        func set(serve: ChildProcess) { self.serve = serve }
    }

    static let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appending(path: "continuity").path

    private init(
        lab: NetworkLab, layout: DemoLayout, session: DemoSession, http: HTTPClient
    ) {
        self.lab = lab
        self.layout = layout
        self.session = session
        self.http = http
        processes = Processes()
    }

    /// Sets everything up, runs `body`, and leaves nothing behind, whatever happens.
    static func run(
        _ profile: DemoOptions.Profile, _ body: @escaping @Sendable (Bench) async throws -> Void
    ) async throws {
        signal(SIGPIPE, SIG_IGN)
        let lab = try await NetworkLab.create()
        let folder = try DemoFolder.create()
        let outcome: Result<Void, any Error>
        do {
            let installation = try await PostgresInstallation.locate()
            let layout = try DemoLayout(
                folder: folder, installation: installation, network: lab.network)
            outcome = await play(lab, layout, profile, body)
        } catch {
            outcome = .failure(error)
        }
        if ProcessInfo.processInfo.environment["CONTINUITY_KEEP"] == nil { folder.remove() }
        await lab.remove()
        try outcome.get()
    }

    private static func play(
        _ lab: NetworkLab, _ layout: DemoLayout, _ profile: DemoOptions.Profile,
        _ body: @escaping @Sendable (Bench) async throws -> Void
    ) async -> Result<Void, any Error> {
        let leftovers = Leftovers(
            folder: layout.folder.path, executable: executable,
            binDirectory: layout.postgres.nodes[0].installation.binDirectory)
        // PostgreSQL's servers are daemons: a shell of its own ends them if this process is killed.
        let guardian = ServerGuard(
            directories: layout.postgres.nodes.map(\.dataDirectory), folder: layout.folder.path)
        return await guardian.watch {
            let outcome: Result<Void, any Error>
            do {
                try await start(lab, layout, profile, body)
                outcome = .success(())
            } catch {
                outcome = .failure(error)
            }
            await Task {
                await leftovers.kill()
                await layout.postgres.stop()
            }.value
            return outcome
        }
    }

    private static func start(
        _ lab: NetworkLab, _ layout: DemoLayout, _ profile: DemoOptions.Profile,
        _ body: @escaping @Sendable (Bench) async throws -> Void
    ) async throws {
        try await layout.postgres.create()
        try await WriteProbe.createTable(on: layout.postgres.nodes[0])
        try DemoFiles(
            layout: layout, profile: profile,
            home: try ProjectHome.locate(executablePath: executable), executable: executable
        ).write()
        let http = try lab.client()
        defer { http.shutdown() }
        let session = try DemoSession(
            options: DemoOptions(json: true, profile: profile), layout: layout,
            executable: executable, console: Console(isQuiet: true), http: http)
        let bench = Bench(lab: lab, layout: layout, session: session, http: http)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await session.supervisor.run() }
            group.addTask { await session.journal.run() }
            defer { group.cancelAll() }
            await bench.processes.set(serve: session.serve)
            session.supervisor.start(session.nameServer)
            session.supervisor.start(session.serve)
            for member in layout.members { await bench.startAgent(member.id) }
            try await bench.healthy()
            group.addTask { await session.probe.run() }
            // A gap can only be measured from an acknowledgement on.
            try await session.expect("the first write", within: .seconds(20), agents: []) {
                session.probe.acknowledgements.isEmpty ? "nobody acknowledges" : nil
            }
            try await body(bench)
        }
    }

    // MARK: The cluster

    /// Waits for HEALTHY: one primary, two that stream from it, no run.
    func healthy(within limit: Duration = .seconds(60)) async throws {
        try await session.expectHealthy(within: limit, agents: [])
    }

    func primary() async throws -> DemoLayout.Member {
        try layout.member(try await session.client.status().primaryNodeID.rawValue)
    }

    func secondary() async throws -> DemoLayout.Member {
        let primary = try await primary().id
        guard let other = layout.members.first(where: { $0.id != primary }) else {
            throw LabFailure("there is no secondary")
        }
        return other
    }

    func index(of member: DemoLayout.Member) -> Int {
        layout.members.firstIndex { $0.id == member.id } ?? 0
    }

    // MARK: Processes

    func startAgent(_ id: String) async {
        guard let member = try? layout.member(id) else { return }
        let agent = session.makeAgent(member)
        await processes.set(id, agent)
        session.supervisor.start(agent)
    }

    /// Waits until a restarted agent answers.
    func answers(_ member: DemoLayout.Member) async throws {
        try await session.expect("the agent of \(member.id)", within: .seconds(20), agents: []) {
            (try? await health(member)) == nil ? "it does not answer" : nil
        }
    }

    func killAgent(_ id: String) async throws { try await processes.agents[id]?.kill() }

    func startServe() async {
        let serve = session.makeServe()
        await processes.set(serve: serve)
        session.supervisor.start(serve)
    }

    /// SIGKILL at this instant, then waits for the end.
    func killServe() async throws { try await processes.serve?.kill() }
    func servePID() async -> Int32? { await processes.serve?.pid }
    func agentPID(_ id: String) async -> Int32? { await processes.agents[id]?.pid }

    /// What the agent says of its guard.
    func guardStatus(_ member: DemoLayout.Member) async throws -> JSONValue? {
        try await health(member)["guard"]
    }

    func health(_ member: DemoLayout.Member) async throws -> JSONValue {
        var request = HTTPRequest(url: "\(member.agentURL)/health", timeout: .seconds(2))
        request.credentials = layout.pki.credentials("serve")
        let response = try await http.send(request)
        return try JSONDecoder().decode(JSONValue.self, from: Data(response.body))
    }

    func guardPID(_ member: DemoLayout.Member) async throws -> Int32? {
        try await guardStatus(member)?["pid"]?.int.map { Int32($0) }
    }

    func send(_ signal: Int32, to pids: [Int32?]) {
        for pid in pids { if let pid { kill(pid, signal) } }
    }
}
