import Foundation
import Synchronization

/// The one HTTP client: libcurl's multi interface on one dedicated thread.
///
/// Connections are kept alive and reused. When a kept connection turns out dead before any byte of
/// the response, libcurl sends the request once more on a fresh one, so a receiver may see it
/// twice: requests with an effect carry an idempotency key. Redirects are not followed, proxies
/// from the environment are not used, TLS is at least 1.2 and verified.
package final class HTTPClient: Sendable {
    private let mailbox: TransferMailbox
    private let nextID = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - maxConcurrent: Transfers in progress at once; further ones wait in order.
    ///   - maxWaiting: Those that may wait; past it `send` throws `overloaded` at once.
    package init(maxConcurrent: Int = 64, maxWaiting: Int = 1024) {
        precondition(maxConcurrent > 0 && maxWaiting >= 0, "bounds must be positive")
        let multi = MultiHandle()
        let mailbox = TransferMailbox(multi: multi, capacity: maxConcurrent + maxWaiting)
        self.mailbox = mailbox
        let thread = Thread {
            // Only a thread itself can give the kernel its name.
            Thread.current.name = "continuity-http"
            TransferLoop(multi: multi, mailbox: mailbox, maxConcurrent: maxConcurrent).run()
        }
        thread.start()
    }

    deinit { mailbox.close() }

    /// Sends the request and waits for the whole response. Cancelling the task ends the transfer.
    ///
    /// - Throws: `HTTPError`; any status that the server answers is a response.
    package func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
        try request.validate()
        let ticket = TransferTicket(id: nextID.wrappingAdd(1, ordering: .relaxed).newValue)
        let result: Result<HTTPResponse, HTTPError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let job = TransferJob(
                    ticket: ticket, request: request, deadline: .now + request.timeout,
                    continuation: continuation)
                if let refusal = mailbox.submit(job) {
                    continuation.resume(returning: .failure(refusal))
                }
            }
        } onCancel: {
            ticket.isCancelled.store(true, ordering: .releasing)
            mailbox.cancel(ticket)
        }
        return try result.get()
    }

    /// Ends every transfer with `shutDown` and closes the connections. Later sends fail likewise.
    package func shutdown() { mailbox.close() }
}
