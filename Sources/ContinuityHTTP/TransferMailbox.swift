import CCurl
import Synchronization

/// Names one transfer towards the loop's thread.
final class TransferTicket: Sendable {
    let id: UInt64
    /// Set before the loop is told, so that a cancellation that overtakes its job is seen with it.
    let isCancelled = Atomic<Bool>(false)

    init(id: UInt64) { self.id = id }
}

/// What the loop needs to carry out one `send`. The loop resumes the continuation exactly once.
struct TransferJob: Sendable {
    let ticket: TransferTicket
    let request: HTTPRequest
    let deadline: ContinuousClock.Instant
    let continuation: CheckedContinuation<Result<HTTPResponse, HTTPError>, Never>
}

/// A libcurl multi handle.
///
/// Invariant that makes it safe to share: only the loop's thread uses the handle, but for
/// `wakeUp`, which libcurl allows on every thread and which the mailbox calls only under its lock
/// and before the loop has said that it ended.
struct MultiHandle: @unchecked Sendable {
    let raw: UnsafeMutableRawPointer

    init() {
        precondition(Self.isInitialised, "libcurl could not be initialised")
        guard let raw = curl_multi_init() else { preconditionFailure("libcurl is out of memory") }
        self.raw = raw
    }

    func wakeUp() { _ = curl_multi_wakeup(raw) }

    private static let isInitialised = ccurl_global_init() == CURLE_OK
}

/// The way from the callers' tasks to the loop's thread.
final class TransferMailbox: Sendable {
    struct Delivery {
        var jobs: [TransferJob] = []
        var cancelled: [UInt64] = []
        var isClosed = false
    }

    private struct State {
        var delivery = Delivery()
        /// Submitted and not finished; bounds jobs and cancellations alike.
        var outstanding = 0
        /// A wake-up is on its way: another would only cost a system call.
        var isWoken = false
        var hasEnded = false
    }

    private let multi: MultiHandle
    private let capacity: Int
    private let state = Mutex(State())

    init(multi: MultiHandle, capacity: Int) {
        self.multi = multi
        self.capacity = capacity
    }

    /// Hands a job to the loop, or says why it was refused.
    func submit(_ job: TransferJob) -> HTTPError? {
        state.withLock { state in
            guard !state.delivery.isClosed else {
                return HTTPError(.shutDown, "the HTTP client was shut down; send nothing after it")
            }
            guard state.outstanding < capacity else {
                return HTTPError(
                    .overloaded,
                    "\(capacity) requests are in progress or waiting; send fewer at once")
            }
            state.outstanding += 1
            state.delivery.jobs.append(job)
            wakeUp(&state)
            return nil
        }
    }

    func cancel(_ ticket: TransferTicket) {
        state.withLock { state in
            guard !state.delivery.isClosed else { return }
            state.delivery.cancelled.append(ticket.id)
            wakeUp(&state)
        }
    }

    func close() {
        state.withLock { state in
            guard !state.delivery.isClosed else { return }
            state.delivery.isClosed = true
            wakeUp(&state)
        }
    }

    /// Takes all that has come in since. Called by the loop's thread.
    func collect() -> Delivery {
        state.withLock { state in
            state.isWoken = false
            let delivery = state.delivery
            state.delivery = Delivery(isClosed: delivery.isClosed)
            return delivery
        }
    }

    /// The loop has finished one job.
    func finishedOne() { state.withLock { $0.outstanding -= 1 } }

    /// Nothing touches the multi handle through the mailbox after this returns.
    func ended() { state.withLock { $0.hasEnded = true } }

    private func wakeUp(_ state: inout State) {
        guard !state.isWoken, !state.hasEnded else { return }
        state.isWoken = true
        multi.wakeUp()
    }
}
