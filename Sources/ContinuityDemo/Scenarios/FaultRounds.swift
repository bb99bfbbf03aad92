import ContinuityCore
import ContinuityPostgres

/// The fault, again and again, on one cluster, each time against whoever is primary then.
struct FaultRounds {
    let session: DemoSession
    /// The agents' processes by node id; a lost node's is replaced by a new one.
    private(set) var agents: [String: ChildProcess]

    init(session: DemoSession, agents: [String: ChildProcess]) {
        self.session = session
        self.agents = agents
    }

    private var layout: DemoLayout { session.layout }
    private var livingAgents: [ChildProcess] { agents.values.sorted { $0.name < $1.name } }

    /// One fault and everything that must come of it.
    ///
    /// - Throws: `DemoFailure` when something of it does not hold.
    mutating func run() async throws -> RunReport {
        let old = try layout.member(try await session.client.status().primaryNodeID.rawValue)
        let position = session.journal.entries.last?.seq ?? 0
        session.console.say(title(old))
        session.timeline.begin()
        defer { session.timeline.end() }

        let fault = ContinuousClock.now
        let runID = try await strike(old)
        if let kind = session.options.killServeAt {
            try await killServe(at: kind, after: position)
        }
        let story = try await committedRun(after: position, runID: runID)
        try await expectNewPrimary(fault, old)
        let new = story.plan.failoverTargetID.rawValue
        try await session.expectRecord(of: new, agents: livingAgents)
        session.timeline.tell(
            "dns", "dig: \(NameServer.serviceName) is \(NameServer.host(new)), the new primary")
        if session.options.scenario == .nodeLoss { restartAgent(of: old) }
        try await expectAlerts(after: position, runID: story.runID)
        try await session.expectHealthy(within: .seconds(90), agents: livingAgents)
        session.timeline.tell("healthy", "\(old.id) is back as a secondary")

        return try await report(story, fault, old)
    }

    private func title(_ old: DemoLayout.Member) -> String {
        switch session.options.scenario {
        case .switchover: "\(old.id) is asked to hand over:"
        case .nodeLoss: "SIGKILL to the agent and the whole PostgreSQL of \(old.id):"
        default: "SIGKILL to the whole PostgreSQL of \(old.id), the primary:"
        }
    }

    /// Does the fault. Returns the run where it is known from the answer.
    private func strike(_ old: DemoLayout.Member) async throws -> String? {
        switch session.options.scenario {
        case .switchover: return try await session.client.switchOver()
        case .nodeLoss:
            // The agent first: it shall not see its database die.
            try await agents[old.id]?.kill()
            try await old.postgres.processes.kill()
        case .crash, .byHand, .drill: try await old.postgres.processes.kill()
        }
        return nil
    }

    /// Kills the orchestrator the moment that its journal shows the entry, and starts it again: it
    /// must go on from there.
    private func killServe(at kind: String, after position: Int64) async throws {
        try await session.expect("an entry '\(kind)'", within: .seconds(30), agents: livingAgents) {
            session.journal.entries.contains { $0.seq > position && $0.body.kind == kind }
                ? nil : "the journal has none"
        }
        try await session.serve.kill()
        session.timeline.tell("killed", "continuity serve, at \(kind); it is started again")
        session.serve.revive()
        session.supervisor.start(session.serve)
    }

    private func committedRun(after position: Int64, runID: String?) async throws -> RunStory {
        var found: RunStory?
        try await session.expect("a committed run", within: .seconds(75), agents: livingAgents) {
            found = RunStory(in: session.journal.entries, after: position, runID: runID)
            guard let story = found else { return "no run was requested" }
            return story.end == nil ? "\(story.runID) is under way" : nil
        }
        guard let story = found, let end = story.end, end.state == .committed else {
            throw DemoFailure(
                "the run ended as \(found?.end?.state.rawValue ?? "?"): "
                    + (found?.end?.reason ?? ""),
                details: session.serve.logTail)
        }
        return story
    }

    private func expectNewPrimary(
        _ fault: ContinuousClock.Instant, _ old: DemoLayout.Member
    ) async throws {
        try await session.expect(
            "a write acknowledged by a new primary", within: .seconds(20), agents: livingAgents
        ) {
            let seen = OutageMeasurement(
                session.probe.acknowledgements, fault: fault, oldPrimary: old.id)
            return seen.newPrimary == nil ? "no node acknowledges writes" : nil
        }
    }

    private mutating func restartAgent(of member: DemoLayout.Member) {
        let agent = session.makeAgent(member)
        agents[member.id] = agent
        session.timeline.tell("restart", "the agent of \(member.id) is started again")
        session.supervisor.start(agent)
    }

    private func expectAlerts(after position: Int64, runID: RunID) async throws {
        try await session.expect("the run's alert", within: .seconds(20), agents: livingAgents) {
            guard
                let story = RunStory(
                    in: session.journal.entries, after: position, runID: runID.rawValue),
                !story.alerts.isEmpty
            else { return "none was queued" }
            if let dead = story.dead.intersection(story.alerts).first { return "\(dead) is dead" }
            if let waiting = story.undelivered.first { return "\(waiting) is on its way" }
            let received = Set(session.receiver.accepted.map(\.alertID))
            let missing = story.alerts.first { !received.contains($0.rawValue) }
            return missing.map { "\($0) was never received" }
        }
        if let refusal = session.receiver.refusals.first {
            throw DemoFailure("the receiver refused an alert: \(refusal)")
        }
    }

    private func report(
        _ story: RunStory, _ fault: ContinuousClock.Instant, _ old: DemoLayout.Member
    ) async throws -> RunReport {
        let seen = OutageMeasurement(
            session.probe.acknowledgements, fault: fault, oldPrimary: old.id)
        let new = try layout.member(story.plan.failoverTargetID.rawValue)
        let lost = try await session.probe.lost(on: new.postgres)
        return RunReport(
            seen, lostAcknowledgedWrites: lost.count, story: story,
            phasesMs: story.end?.phasesMs ?? [:], fromNode: old.id, toNode: new.id)
    }
}

extension RunReport {
    /// Why the run does not hold; `nil` when it does.
    var shortcoming: String? {
        if lostAcknowledgedWrites > 0 {
            return "\(lostAcknowledgedWrites) acknowledged writes are lost"
        }
        if dualPrimaryWrites > 0 {
            return "\(dualPrimaryWrites) writes were acknowledged by two primaries at once"
        }
        return nil
    }

    var lines: [String] {
        [
            "  client's outage            \(outageMs) ms (fault to first write on \(toNode): "
                + "\(untilNewPrimaryMs) ms; longest gap afterwards: \(laterGapMs) ms)",
            "  acknowledged writes lost   \(lostAcknowledgedWrites)",
            "  dual-primary writes        \(dualPrimaryWrites)",
            "  confidence                 \(confidence.map { "\($0) of 100" } ?? "-")",
        ]
    }
}
