import Foundation

/// A fixed number of threads for work that blocks, so that it never blocks Swift's cooperative
/// pool, and a bounded queue before them.
final class ThreadCrew: Sendable {
    static let queueMax = 1024

    private struct Job: Sendable {
        let ticket: UInt64
        let run: @Sendable () -> Void
        let dropped: @Sendable () -> Void
    }

    private struct State: Sendable {
        var queue: [Job] = []
        /// Threads that wait for a job.
        var idle = 0
        var lastTicket: UInt64 = 0
        var isStopped = false
    }

    private let state = Monitor(State())

    init(name: String, count: Int) {
        for number in 1...count {
            let state = state
            let thread = Thread {
                while let job = Self.next(state) { job.run() }
            }
            thread.name = "\(name)-\(number)"
            thread.start()
        }
    }

    private static func next(_ state: Monitor<State>) -> Job? {
        var isCounted = false
        let next: Job?? = state.wait(untilNs: nil) { state in
            if !state.queue.isEmpty {
                if isCounted { state.idle -= 1 }
                return .some(state.queue.removeFirst())
            }
            if !isCounted { state.idle += 1 }
            isCounted = true
            return state.isStopped ? .some(nil) : nil
        }
        return next ?? nil
    }

    /// What became of a job that was handed in.
    enum Admission: Equatable, Sendable {
        /// A thread is there for it.
        case taken
        /// It waits for one; by this number it can be withdrawn.
        case queued(ticket: UInt64)
        /// `dropped` was called: the queue is full, or the crew is stopped.
        case dropped
    }

    /// Queues a job. Exactly one of `run` and `dropped` is called: `dropped` when the queue is
    /// full, the crew is stopped, or the job is withdrawn before its turn.
    @discardableResult
    func submit(
        run: @escaping @Sendable () -> Void, dropped: @escaping @Sendable () -> Void
    ) -> Admission {
        let admission: Admission = state.changeForOne { state in
            guard !state.isStopped, state.queue.count < Self.queueMax else { return .dropped }
            state.lastTicket += 1
            state.queue.append(Job(ticket: state.lastTicket, run: run, dropped: dropped))
            return state.idle >= state.queue.count ? .taken : .queued(ticket: state.lastTicket)
        }
        if admission == .dropped { dropped() }
        return admission
    }

    /// Drops a job that still waits. Does nothing when it runs or has run.
    func withdraw(ticket: UInt64) {
        let job: Job? = state.change { state in
            guard let index = state.queue.firstIndex(where: { $0.ticket == ticket }) else {
                return nil
            }
            return state.queue.remove(at: index)
        }
        job?.dropped()
    }

    /// Drops what waits; the threads end after the job that each is in.
    func stop() {
        let waiting = state.change { state in
            state.isStopped = true
            defer { state.queue = [] }
            return state.queue
        }
        for job in waiting { job.dropped() }
    }
}
