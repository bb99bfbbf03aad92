import ContinuityCore
import Glibc
import Testing

@testable import ContinuityAgent

struct ServiceWatchTests {
    @Test func reportsARunningServiceAndItsDeathAtOnce() async throws {
        try await Harness.run { harness in
            // Long, so that only an immediate report can carry the news.
            harness.orchestrator.answer { $0.intervalMs = 60_000 }
            try harness.service.say(.secondary, position: 42, streaming: true)
            try await harness.service.start()
            let result = try await harness.order(.status)
            #expect(result.outcome == .succeeded)
            #expect(result.service?.positionBytes == 42)
            try await harness.running(as: .secondary)
            let pid = try #require(harness.service.mainPID)
            let began = ContinuousClock.now
            kill(pid, SIGKILL)
            try await harness.reported("a stopped service") { $0.service.state == .stopped }
            #expect(ContinuousClock.now - began < .seconds(5))
            let last = try #require(harness.orchestrator.last)
            #expect(last.service.positionBytes == 42, "where its data ends is still known")
            #expect(last.highestEpoch == 1)
        }
    }

    @Test func isFailingUntilTheLastChildIsGone() async throws {
        try await Harness.run { harness in
            try harness.service.say(.secondary)
            try await harness.service.start(children: 1)
            try await harness.running(as: .secondary)
            let main = try #require(harness.service.mainPID)
            let child = try #require(
                harness.service.processes.scan().alive.first { $0 != main })
            kill(main, SIGKILL)
            try await harness.reported("lingering children") {
                $0.service.state == .failing && $0.service.detail.contains("still alive")
            }
            #expect(harness.service.processes.scan().alive == [child], "the agent kills nothing")
            kill(child, SIGKILL)
            try await harness.reported("a stopped service") { $0.service.state == .stopped }
        }
    }

    @Test func aStatusThatFailsTwiceMakesTheServiceFailing() async throws {
        try await Harness.run { harness in
            try harness.service.say(.secondary)
            try await harness.service.start()
            try await harness.running(as: .secondary)
            unlink(harness.service.statusFile)
            try await harness.reported("a failing service") {
                $0.service.state == .failing && $0.service.detail.contains("status")
            }
            try harness.service.say(.secondary)
            try await harness.running(as: .secondary)
        }
    }

    @Test func aClosedPortMakesTheServiceFailing() async throws {
        try await Harness.run { configuration, _ in
            configuration.service?.probesTCP = true
        } body: { harness in
            try harness.service.say(.secondary)
            try await harness.service.start()
            try await harness.reported("a failing service") {
                $0.service.state == .failing && $0.service.detail.contains("TCP")
            }
        }
    }

    @Test func noticesAServiceThatIsStartedAgain() async throws {
        try await Harness.run { harness in
            try harness.service.say(.secondary)
            try await harness.reported("no service") { $0.service.state == .stopped }
            for _ in 0..<3 {
                try await harness.service.start()
                try await harness.running(as: .secondary)
                kill(try #require(harness.service.mainPID), SIGKILL)
                try await harness.reported("a stopped service") { $0.service.state == .stopped }
            }
        }
    }

    @Test func reportsGrowBySequence() async throws {
        try await Harness.run { harness in
            try await eventually("some reports") { harness.orchestrator.reports.count > 5 }
            let reports = harness.orchestrator.reports
            #expect(Set(reports.map(\.bootID)).count == 1)
            #expect(Set(reports.map(\.sequence)).count == reports.count)
        }
    }
}
