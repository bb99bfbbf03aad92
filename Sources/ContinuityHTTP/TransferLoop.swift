import CCurl
import Synchronization

/// Drives the transfers. Made, run and gone on the client's thread; nothing of it is shared.
final class TransferLoop {
    private let multi: MultiHandle
    private let mailbox: TransferMailbox
    private let maxConcurrent: Int
    private var waiting: [TransferJob] = []
    private var active: [UInt64: Transfer] = [:]
    /// Handles to use again; at most `maxConcurrent`.
    private var idleHandles: [UnsafeMutableRawPointer] = []

    init(multi: MultiHandle, mailbox: TransferMailbox, maxConcurrent: Int) {
        self.multi = multi
        self.mailbox = mailbox
        self.maxConcurrent = maxConcurrent
        let connections = CLong(maxConcurrent)
        check(ccurl_multi_set_long(multi.raw, CURLMOPT_MAXCONNECTS, connections))
        check(ccurl_multi_set_long(multi.raw, CURLMOPT_PIPELINING, CLong(CURLPIPE_NOTHING)))
    }

    /// Runs until the mailbox is closed. Each round either waits in the kernel or makes progress.
    func run() {
        while true {
            let delivery = mailbox.collect()
            if delivery.isClosed { return end(delivery) }
            waiting.append(contentsOf: delivery.jobs)
            delivery.cancelled.forEach(cancel)
            startWaiting()
            perform()
            // Those that have just ended leave slots: fill them before the wait.
            if !waiting.isEmpty && active.count < maxConcurrent { continue }
            check(curl_multi_poll(multi.raw, nil, 0, pollTimeoutMs(), nil))
        }
    }

    // MARK: Rounds

    private func startWaiting() {
        guard !waiting.isEmpty else { return }
        let now = ContinuousClock.now
        var stillWaiting: [TransferJob] = []
        for job in waiting {
            if job.ticket.isCancelled.load(ordering: .acquiring) {
                finish(job, .failure(Self.cancelled(job, mayHaveBeenSent: false)))
            } else if job.deadline <= now {
                let message =
                    "no slot was free for \(job.request.origin) in time; send fewer at once"
                finish(job, .failure(HTTPError(.timedOut, message)))
            } else if active.count < maxConcurrent {
                start(job, now: now)
            } else {
                stillWaiting.append(job)
            }
        }
        waiting = stillWaiting
    }

    private func start(_ job: TransferJob, now: ContinuousClock.Instant) {
        guard let handle = idleHandles.popLast() ?? curl_easy_init() else {
            preconditionFailure("libcurl is out of memory")
        }
        let transfer = Transfer(job: job, handle: handle)
        if let error = transfer.configure(remaining: now.duration(to: job.deadline)) {
            release(transfer)
            return finish(job, .failure(error))
        }
        active[job.ticket.id] = transfer
        check(curl_multi_add_handle(multi.raw, handle))
    }

    private func perform() {
        var running: Int32 = 0
        check(curl_multi_perform(multi.raw, &running))
        var code = CURLE_OK
        // Bounded by `active`: each turn takes one transfer out.
        while let handle = ccurl_multi_next_done(multi.raw, &code) {
            guard let transfer = active.removeValue(forKey: Transfer.id(of: handle)) else {
                preconditionFailure("libcurl ended a transfer that was never started")
            }
            let result = transfer.result(code)
            detach(transfer)
            finish(transfer.job, result)
        }
    }

    private func cancel(_ id: UInt64) {
        guard let transfer = active.removeValue(forKey: id) else { return }
        let error = Self.cancelled(transfer.job, mayHaveBeenSent: transfer.mayHaveBeenSent)
        detach(transfer)
        finish(transfer.job, .failure(error))
    }

    /// Waits for as long as nothing is due: libcurl knows its own timeouts, the queue's are ours.
    private func pollTimeoutMs() -> Int32 {
        let longest = Duration.seconds(3600)
        guard let first = waiting.lazy.map(\.deadline).min() else {
            return Int32(longest.wholeMilliseconds)
        }
        let wait = max(.zero, min(longest, ContinuousClock.now.duration(to: first)))
        return Int32(wait.wholeMilliseconds) + 1
    }

    // MARK: Endings

    private func detach(_ transfer: Transfer) {
        check(curl_multi_remove_handle(multi.raw, transfer.handle))
        release(transfer)
    }

    private func release(_ transfer: Transfer) {
        transfer.freeHeaders()
        curl_easy_reset(transfer.handle)
        if idleHandles.count < maxConcurrent {
            idleHandles.append(transfer.handle)
        } else {
            curl_easy_cleanup(transfer.handle)
        }
    }

    private func finish(_ job: TransferJob, _ result: Result<HTTPResponse, HTTPError>) {
        mailbox.finishedOne()
        job.continuation.resume(returning: result)
    }

    private func end(_ last: TransferMailbox.Delivery) {
        let message = "the HTTP client was shut down"
        for transfer in active.values {
            let error = HTTPError(
                .shutDown, message, mayHaveBeenSent: transfer.mayHaveBeenSent)
            detach(transfer)
            finish(transfer.job, .failure(error))
        }
        active = [:]
        for job in waiting + last.jobs {
            finish(job, .failure(HTTPError(.shutDown, message)))
        }
        idleHandles.forEach { curl_easy_cleanup($0) }
        mailbox.ended()
        check(curl_multi_cleanup(multi.raw))
    }

    private static func cancelled(_ job: TransferJob, mayHaveBeenSent: Bool) -> HTTPError {
        HTTPError(
            .cancelled, "the request to \(job.request.origin) was cancelled",
            mayHaveBeenSent: mayHaveBeenSent)
    }

    /// libcurl's multi functions fail only when misused or out of memory.
    private func check(_ code: CURLMcode) {
        precondition(
            code == CURLM_OK, "libcurl failed: \(String(cString: curl_multi_strerror(code)))")
    }
}

extension Duration {
    /// Rounded down.
    var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
