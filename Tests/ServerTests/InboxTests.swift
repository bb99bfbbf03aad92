import ContinuityAPI
import ContinuityCore
import Testing

@testable import ContinuityServer

@Suite(.timeLimit(.minutes(1))) struct InboxTests {
    @Test func whoeverWaitsWhenTheServerStopsIsToldSo() async throws {
        let inbox = Inbox()
        async let first = unavailable { _ = try await inbox.ask(.tick) }
        async let second = unavailable { _ = try await inbox.query { $0.state.epoch } }
        // Both wait, and nobody takes them.
        while inbox.count < 2 { await Task.yield() }
        inbox.close()
        #expect(try await first == .stopping)
        #expect(try await second == .stopping)
        let late = try await unavailable { _ = try await inbox.ask(.tick) }
        #expect(late == .stopping)
    }

    @Test func whoeverComesWhenItIsFullIsToldSo() async throws {
        let inbox = Inbox()
        for _ in 0..<Inbox.limit { inbox.submit(.tick) }
        let error = try await unavailable { _ = try await inbox.ask(.tick) }
        #expect(error == .overloaded)
        // Our own results are taken all the same.
        inbox.submit(.tick)
        #expect(inbox.count == Inbox.limit + 1)
    }

    @Test func theyAreTakenInOrderAndTicksDoNotPileUp() async throws {
        let inbox = Inbox()
        inbox.tick()
        inbox.tick()
        for number in 1...200 {
            inbox.submit(
                .operationFinished(OperationKey("\(number)"), "demo", OperationResult(outcome: .ok))
            )
        }
        guard case .input(.tick, _)? = await inbox.next() else {
            Issue.record("the tick came first")
            return
        }
        inbox.tick()
        for number in 1...200 {
            guard case .input(.operationFinished(let key, _, _), _)? = await inbox.next() else {
                Issue.record("\(number) is missing")
                return
            }
            #expect(key.rawValue == "\(number)")
        }
        guard case .input(.tick, _)? = await inbox.next() else {
            Issue.record("a tick after one that was taken is a new one")
            return
        }
        #expect(inbox.count == 0)
    }

    @Test func aTakerThatIsCancelledTakesNothing() async throws {
        let inbox = Inbox()
        let taker = Task { await inbox.next() == nil }
        taker.cancel()
        #expect(await taker.value)
        inbox.submit(.tick)
        #expect(inbox.count == 1)
    }
}
