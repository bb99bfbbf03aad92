import ContinuityCore
import ContinuityPostgres
import Foundation
import Glibc
import Synchronization
import Testing

@testable import ContinuityDemo

extension RealProcesses {
    /// Real faults on real processes: PostgreSQL, agent and guard in a network namespace for each node.
    struct RealFaultTests {
        @Test func cutsOfTheNetwork() async throws {
            try await Bench.run(.lan) { bench in
                var reports: [CaseReport] = []
                for cut in [NetworkLab.Cut.both, .inbound, .outbound] {
                    reports.append(
                        try await bench.play("primary cut off, \(cut.rawValue)", .failover) { old in
                            try await bench.lab.cut(bench.index(of: old), cut)
                        } heal: { _ in
                            // The old side goes on alone for a while: nothing of it may be accepted.
                            try await Task.sleep(for: .seconds(2))
                            try await bench.lab.heal()
                        })
                }
                for cut in [NetworkLab.Cut.both, .inbound, .outbound] {
                    reports.append(
                        try await bench.play("secondary cut off, \(cut.rawValue)", .none) { _ in
                            let other = try await bench.secondary()
                            try await bench.lab.cut(bench.index(of: other), cut)
                            try await Task.sleep(for: .seconds(3))
                        } heal: { _ in
                            try await bench.lab.heal()
                        })
                }
                CaseReport.show(reports, title: "cuts of the network, profile lan")
            }
        }

        /// The default profile, for the speed that is promised of it.
        @Test func aCutWithTheStandardProfile() async throws {
            try await Bench.run(.standard) { bench in
                let report = try await bench.play("primary cut off, both", .failover) { old in
                    try await bench.lab.cut(bench.index(of: old), .both)
                } heal: { _ in
                    try await Task.sleep(for: .seconds(2))
                    try await bench.lab.heal()
                }
                CaseReport.show([report], title: "cuts of the network, profile standard")
            }
        }

        @Test func stoppedProcesses() async throws {
            try await Bench.run(.lan) { bench in
                var reports: [CaseReport] = []
                for seconds in [2, 20] {
                    for victim in Victim.allCases {
                        let woken = Mutex<(ContinuousClock.Instant, String)?>(nil)
                        let expected: CaseReport.Expectation =
                            switch victim {
                            case .guardProcess: .none
                            // Peers see that nothing of it answers: nobody waits until it wakes.
                            case .all where seconds > 2: .failover
                            case .all, .agent, .database: .either
                            }
                        reports.append(
                            try await bench.play(
                                "\(victim.rawValue) stopped for \(seconds) s", expected
                            ) { old in
                                let pids = try await bench.pids(of: victim, on: old)
                                bench.send(SIGSTOP, to: pids)
                                try await Task.sleep(for: .seconds(seconds))
                                // The database first: the worst order to wake in.
                                woken.withLock { $0 = (.now, old.id) }
                                bench.send(SIGCONT, to: pids)
                            })
                        if victim == .all, seconds > 2, let report = reports.last {
                            let newPrimaryMs = try #require(report.untilNewPrimaryMs)
                            #expect(newPrimaryMs < 10_000, "it did not wait for the end")
                        }
                        if victim == .all, let (at, old) = woken.withLock(\.self) {
                            try bench.expectFencedAtOnce(old, wokenAt: at)
                        }
                    }
                }
                CaseReport.show(reports, title: "SIGSTOP on the primary's node, profile lan")
            }
        }

        @Test func killedProcesses() async throws {
            try await Bench.run(.lan) { bench in
                var reports: [CaseReport] = []
                reports.append(
                    try await bench.play("agent killed, back at once", .none) { old in
                        try await bench.killAgent(old.id)
                        await bench.startAgent(old.id)
                    })
                reports.append(
                    try await bench.play("agent killed, stays away", .failover) { old in
                        try await bench.killAgent(old.id)
                    } heal: { old in
                        #expect(old.postgres.processes.living().isEmpty, "the guard has fenced")
                        await bench.startAgent(old.id)
                    })
                reports.append(
                    try await bench.play("guard killed", .none) { old in
                        let pid = try #require(try await bench.guardPID(old))
                        kill(pid, SIGKILL)
                        let replaced = try await poll(every: .milliseconds(5), for: .seconds(10)) {
                            let status = try await bench.guardStatus(old)
                            return status?["state"]?.string == "guarding"
                                && status?["pid"]?.int != Int64(pid)
                        }
                        #expect(replaced)
                    })
                reports.append(
                    try await bench.play("agent and guard killed, agent back", .none) { old in
                        let pids = try await bench.pids(of: .agentAndGuard, on: old)
                        bench.send(SIGKILL, to: pids)
                        try await bench.killAgent(old.id)
                        await bench.startAgent(old.id)
                    })
                reports.append(try await bench.nobodyIsLeftToFence())
                CaseReport.show(reports, title: "SIGKILL on the primary's node, profile lan")
            }
        }
    }
}

extension Bench {
    /// A primary whose lease ran out while everything of it was stopped must be dead within moments
    /// of waking.
    fileprivate func expectFencedAtOnce(_ node: String, wokenAt: ContinuousClock.Instant) throws {
        let late = session.probe.acknowledgements.filter {
            // What comes seconds later is the node as somebody's primary again.
            $0.nodeID == node && $0.acknowledgedAt > wokenAt
                && $0.acknowledgedAt < wokenAt + .milliseconds(500)
        }
        let lastMs = late.last.map { ($0.acknowledgedAt - wokenAt).milliseconds } ?? 0
        Console(isQuiet: false).say(
            "  \(node) woke: \(late.count) writes acknowledged by it, the last after \(lastMs) ms")
        // Generous for a busy machine; the figure itself is printed.
        #expect(lastMs < 250)
    }
}

extension Bench {
    /// Agent and guard are killed and stay away: the primary goes on without a lease, and nobody is
    /// promoted beside it, not even when it stops answering.
    fileprivate func nobodyIsLeftToFence() async throws -> CaseReport {
        try await play("agent and guard killed, both stay away", .either) { old in
            send(SIGKILL, to: try await pids(of: .agentAndGuard, on: old))
            try await killAgent(old.id)
            try await session.expect("a hold", within: .seconds(20), agents: []) {
                let holds = try await session.client.status().holds
                return holds.contains { $0.rule == .peersReachPrimary } ? nil : "\(holds)"
            }
            try await Task.sleep(for: Self.settlingTime)
            #expect(session.probe.acknowledgements.last?.nodeID == old.id, "it still takes writes")
            let database = old.postgres.processes.living()
            #expect(!database.isEmpty)
            send(SIGSTOP, to: database)
            try await Task.sleep(for: .seconds(4))
            let status = try await session.client.status()
            send(SIGCONT, to: database)
            #expect(status.primaryNodeID.rawValue == old.id && status.run == nil)
            let evidence = status.holds.first { $0.rule == .peersReachPrimary }?.evidence
            #expect(evidence?.contains("nothing fences it") == true, "\(status.holds)")
        } heal: { old in
            // Its lease is over: the agent fences before it looks, and the move follows by receipt.
            await startAgent(old.id)
            try await session.expect("the move", within: .seconds(40), agents: []) {
                try await session.client.status().primaryNodeID.rawValue == old.id
                    ? "\(old.id) is primary" : nil
            }
        }
    }
}

enum Victim: String, CaseIterable, Sendable {
    case agent
    case guardProcess = "guard"
    case database
    case all = "agent, guard and database"

    static let agentAndGuard = Victim?.none
}

extension Bench {
    /// Processes of the primary's node, the database's first. `nil`: agent and guard.
    func pids(of victim: Victim?, on member: DemoLayout.Member) async throws -> [Int32?] {
        let agent = await agentPID(member.id)
        let guardian = try await guardPID(member)
        return switch victim {
        case .agent: [agent]
        case .guardProcess: [guardian]
        case .database: member.postgres.processes.living()
        case .all: member.postgres.processes.living() + [agent, guardian]
        case nil: [agent, guardian]
        }
    }
}
