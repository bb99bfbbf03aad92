import ContinuityAPI
import ContinuityCore
import ContinuityStore
import Foundation
import Testing

@testable import ContinuityServer

/// The loop that makes the orchestrator's steps durable, over a journal that fails as told.
@Suite struct DriverTests {
    // MARK: One holder of the configuration

    @Test func afterAFullDiskThePacksOfTheLastReloadHold() async throws {
        let test = TestDriver()
        try await test.run {
            try await test.eventually { try await test.pause() }
            for digest in ["second", "third"] {
                let change = HookPacksChanged(
                    changes: [.init(pack: "dns", fromSHA256: nil, toSHA256: digest)], rejected: [])
                _ = try await test.driver.ask(
                    .hookPacksChanged(
                        change, clusters: TestDriver.configuration(pack: digest).clusters,
                        requestedBy: "SIGHUP"))
            }
            let seq = try #require(test.journal.now.entries.last?.seq)
            test.journal.fail(.refuses)
            _ = try await unavailable { try await test.pause() }
            test.journal.fail(nil)
            try await test.eventually { try await test.pause() }
            let state = try test.journal.fold()
            #expect(state.clusters["demo"]?.policy.hooks.map(\.packSHA256) == ["third"])
            let later = test.journal.now.entries.filter { $0.seq > seq }
            #expect(later.map(\.kind).contains("leadership_started"))
            #expect(!later.map(\.kind).contains("cluster_configured"), "nothing has changed")
            #expect(
                try await test.driver.configuration() == TestDriver.configuration(pack: "third"))
        }
    }

    @Test func aReloadThatWasNotRecordedChangesNothing() async throws {
        let test = TestDriver()
        try await test.run {
            try await test.eventually { try await test.pause() }
            test.journal.fail(.refuses)
            let change = HookPacksChanged(
                changes: [.init(pack: "dns", fromSHA256: nil, toSHA256: "second")], rejected: [])
            let error = try await unavailable {
                _ = try await test.driver.ask(
                    .hookPacksChanged(
                        change, clusters: TestDriver.configuration(pack: "second").clusters,
                        requestedBy: "SIGHUP"))
            }
            #expect(error != nil)
            #expect(
                try await test.driver.configuration() == TestDriver.configuration(pack: "first"))
        }
    }

    /// A journal that was restored may lack a change of the primary: that is never forgotten, also
    /// where the first entries cannot be written.
    @Test func whatWasRestoredIsSaidOnceTheJournalCanBeWritten() async throws {
        let test = TestDriver(
            restored: JournalRestored(damage: "entry 4", backupSeq: 3, salvaged: 0))
        test.journal.fail(.refuses)
        try await test.run {
            let error = try await unavailable { try await test.pause() }
            #expect(error != nil)
            test.journal.fail(nil)
            try await test.eventually { try await test.pause() }
            #expect(test.journal.now.entries.map(\.kind).contains("journal_restored"))
        }
    }

    // MARK: One append a step, and true errors

    /// The server may take requests before the loop runs.
    @Test func whoAsksBeforeTheLoopRunsIsAnsweredByTheConfiguration() async throws {
        let test = TestDriver()
        let asked = Task { try await test.pause() }
        while test.driver.inbox.count < 2 { await Task.yield() }
        try await test.run {
            guard case .noted = try await asked.value else {
                Issue.record("\(try await asked.value)")
                return
            }
        }
    }

    @Test func aStepAndItsCheckpointAreOneAppend() async throws {
        let test = TestDriver(signsEach: 1)
        try await test.run {
            try await test.eventually { try await test.pause() }
            let appends = test.journal.now.appends
            #expect(appends.count >= 2)
            for append in appends {
                #expect(append.count >= 2 && append.last == "checkpoint_signed", "\(append)")
            }
        }
    }

    @Test func whoHearsThatNothingWasDoneHearsTheTruth() async throws {
        let test = TestDriver(signsEach: 1)
        try await test.run {
            try await test.eventually { try await test.pause() }
            let count = test.journal.now.entries.count
            test.journal.fail(.refuses, once: true)
            let error = try await unavailable { try await test.pause() }
            guard case .journalUnavailable(let reason, isDurable: false)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(reason.contains("the disk is full"))
            #expect(test.journal.now.entries.count == count)
            #expect(test.effects.alerts.map(\.type) == ["continuity.audit.suspended"])
        }
    }

    @Test func whatIsDurableAllTheSameIsToldSo() async throws {
        let test = TestDriver()
        try await test.run {
            try await test.eventually { try await test.pause() }
            test.journal.fail(.failsAfterwards, once: true)
            let error = try await unavailable {
                _ = try await test.driver.order(
                    .beginMaintenance(
                        "demo", "node-2",
                        SuspensionWish(owner: "ana", reason: "disk", durationS: 60)),
                    by: "ana")
            }
            guard case .journalUnavailable(_, isDurable: true)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            try await test.eventually { try await test.pause() }
            #expect(try test.journal.fold().clusters["demo"]?.nodeMaintenance["node-2"] != nil)
        }
    }

    @Test func whereNobodyCanTellThatIsSaid() async throws {
        let test = TestDriver()
        let running = Task { try await test.driver.run() }
        try await test.eventually { try await test.pause() }
        test.journal.fail(.isUnreadable)
        let error = try await unavailable { try await test.pause() }
        guard case .journalUnavailable(_, isDurable: nil)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        // A journal that cannot be read ends the process.
        await #expect(throws: StoreError.self) { try await running.value }
        let after = try await unavailable { try await test.pause() }
        #expect(after == .stopping, "and it is no unknown cluster")
    }

    // MARK: Threads

    private struct NotYet: Error {}

    @Test func theDiskIsWaitedForOnAThreadOfItsOwn() async throws {
        let test = TestDriver()
        try await test.run {
            try await test.eventually { try await test.pause() }
            try await test.eventually {
                if test.effects.threads.isEmpty { throw NotYet() }
            }
            #expect(test.journal.now.threads == [Driver.threadName])
            #expect(!test.effects.threads.contains(Driver.threadName))
        }
    }

    /// An agent's report is answered, and its lease goes on, though what it witnessed cannot be
    /// read just now.
    @Test func aReportIsAnsweredThoughTheJournalCannotBeRead() async throws {
        let test = TestDriver()
        try await test.run {
            try await test.eventually { try await test.pause() }
            let report = NodeReport(
                clusterID: "demo", nodeID: "node-1", bootID: "boot", sequence: 1, highestEpoch: 0,
                service: ServiceReport(state: .running, role: .primary), peers: [:],
                witness: WitnessState(seq: 1, hash: String(repeating: "0", count: 64)))
            test.journal.fail(.readsFail)
            let first = try await test.driver.report(report)
            guard case .report = first else {
                Issue.record("\(first)")
                return
            }
        }
    }
}
