import ContinuityCore
import Glibc

/// Lets a thread that must wait for an asynchronous answer do the asynchronous work itself.
///
/// A task that prefers this executor runs on the waiting thread, so that a broker which answers at
/// once costs no change of threads; where it truly suspends, the thread sleeps until the rest is
/// ready. Once nobody waits any more, what is left of the task goes to the common pool.
final class WaitingThread<Answer: Sendable>: TaskExecutor {
    private struct State: Sendable {
        var jobs: [UnownedJob] = []
        var answer: Answer?
        var isAbandoned = false
    }

    private enum Step {
        case answer(Answer)
        case job(UnownedJob)
    }

    private let state = Monitor(State())

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isTaken = state.change { state in
            guard !state.isAbandoned else { return false }
            state.jobs.append(job)
            return true
        }
        if !isTaken { globalConcurrentExecutor.enqueue(job) }
    }

    /// Runs `body` as a task of its own and waits for its answer. `nil`: the deadline passed; the
    /// task is cancelled then, and whatever it still answers goes nowhere.
    ///
    /// Not a child task, on purpose: work that does not heed cancellation must not hold the caller
    /// beyond its deadline.
    func answer(
        untilNs deadlineNs: Int64, to body: @escaping @Sendable () async -> Answer
    ) -> Answer? {
        let task = Task(executorPreference: self) { [state] in
            let answer = await body()
            state.change { $0.answer = answer }
        }
        while let step = next(untilNs: deadlineNs) {
            switch step {
            case .answer(let answer): return answer
            case .job(let job): job.runSynchronously(on: asUnownedTaskExecutor())
            }
        }
        task.cancel()
        abandon()
        return nil
    }

    private func next(untilNs deadlineNs: Int64) -> Step? {
        state.wait(untilNs: deadlineNs) { state in
            if let answer = state.answer { return .answer(answer) }
            return state.jobs.isEmpty ? nil : .job(state.jobs.removeFirst())
        }
    }

    private func abandon() {
        let left = state.change { state in
            state.isAbandoned = true
            defer { state.jobs = [] }
            return state.jobs
        }
        for job in left { globalConcurrentExecutor.enqueue(job) }
    }
}
