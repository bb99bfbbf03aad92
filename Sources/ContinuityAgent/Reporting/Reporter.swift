import ContinuityCore
import ContinuityHTTP
import ContinuityNode
import Foundation
import Logging
import Synchronization

/// Sends the heartbeat: at the interval that the orchestrator asks for, and at once when
/// something changed.
final class Reporter: Sendable {
    private struct Progress {
        var inFlight = 0
        /// Something changed while as many reports as allowed were in flight.
        var isPending = false
        /// Index of the orchestrator that answered last.
        var preferred = 0
        var isConnected: Bool?
        /// The reasons that were logged since an orchestrator answered last.
        var told = ToldFailures()
        /// What each orchestrator wants its reports to name, by its URL.
        var sessions: [String: String] = [:]
        /// The newest report that was accepted.
        var acceptedSequence: Int64 = 0
        /// How many newer ones in a row were refused as stale.
        var outranked = 0
        var lastSentAt: BootInstant?
    }

    /// As many reports can overtake each other without a second agent.
    static let outrankedLimit = 3
    private static let outrankedPauseMs: Int64 = 10_000

    /// A slow answer must not delay news, but a slow orchestrator must not be flooded either.
    static let maxInFlight = 2

    private let state: NodeState
    private let witness: WitnessKeeper
    private let http: HTTPClient
    private let logger: Logger
    private let progress = Mutex(Progress())

    init(state: NodeState, witness: WitnessKeeper, http: HTTPClient, logger: Logger) {
        self.state = state
        self.witness = witness
        self.http = http
        self.logger = logger
    }

    /// Runs until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                if mayReport(), begin() {
                    group.addTask {
                        await self.sendReport()
                        if self.end() { self.state.reportNow.signal() }
                    }
                }
                await state.reportNow.wait(atMost: nextPause())
            }
        }
    }

    /// News do not shorten the pause of one that is outranked.
    private func mayReport() -> Bool {
        let now = BootInstant.now
        return progress.withLock { progress in
            if progress.outranked >= Self.outrankedLimit, let last = progress.lastSentAt,
                now - last < Self.outrankedPauseMs
            {
                return false
            }
            progress.lastSentAt = now
            return true
        }
    }

    private func begin() -> Bool {
        progress.withLock { progress in
            guard progress.inFlight < Self.maxInFlight else {
                progress.isPending = true
                return false
            }
            progress.inFlight += 1
            return true
        }
    }

    /// - Returns: whether another report is due at once.
    private func end() -> Bool {
        progress.withLock { progress in
            progress.inFlight -= 1
            defer { progress.isPending = false }
            return progress.isPending
        }
    }

    private func nextPause() -> Duration {
        if progress.withLock({ $0.outranked >= Self.outrankedLimit }) {
            return .milliseconds(Self.outrankedPauseMs)
        }
        let intervalUs = state.intervalMs * 1000
        let spreadUs = intervalUs * state.jitterPermille / 1000
        return .microseconds(intervalUs + Int64.random(in: -spreadUs...spreadUs))
    }

    private func sendReport() async {
        let urls = state.configuration.orchestrators
        let first = progress.withLock(\.preferred)
        let body: [UInt8]
        let stated = witness.state
        let sequence: Int64
        do {
            var report = state.nextReport()
            report.witness = stated
            sequence = report.sequence
            body = try CanonicalJSON.bytes(encoding: report)
        } catch {
            return logger.error("the report cannot be encoded", metadata: ["error": "\(error)"])
        }
        var failures: [String] = []
        for offset in urls.indices {
            let index = (first + offset) % urls.count
            guard !Task.isCancelled else { return }
            if let failure = await send(
                body, sequence, stating: stated, to: urls[index])
            {
                failures.append(failure)
                continue
            }
            progress.withLock { $0.preferred = index }
            return connected(to: urls[index])
        }
        if !Task.isCancelled { disconnected(failures) }
    }

    private static let sessionField = "Continuity-Session"

    /// - Returns: why there was no usable answer, or `nil`.
    private func send(
        _ body: [UInt8], _ sequence: Int64, stating stated: WitnessState?, to url: String
    ) async -> String? {
        let known = progress.withLock { $0.sessions[url] }
        let failure = await sendOnce(body, sequence, stating: stated, to: url)
        // An orchestrator that has started since names another session, and wants it at once.
        let current = progress.withLock { $0.sessions[url] }
        return current == known
            ? failure
            : failure == nil ? nil : await sendOnce(body, sequence, stating: stated, to: url)
    }

    private func sendOnce(
        _ body: [UInt8], _ sequence: Int64, stating stated: WitnessState?,
        to url: String
    ) async -> String? {
        let timeoutMs = min(max(state.intervalMs, 500), 10_000)
        var request = HTTPRequest(
            method: "POST", url: "\(url)/api/v1/continuity/agent/report",
            headers: ["Content-Type": "application/json"], body: body,
            timeout: .milliseconds(timeoutMs),
            connectTimeout: .milliseconds(min(timeoutMs, 2000)), maxResponseBytes: 1 << 20)
        state.configuration.sign(&request, to: .orchestrator)
        if let session = progress.withLock({ $0.sessions[url] }) {
            request.headers[Self.sessionField] = session
        }
        // The lease counts from here: the orchestrator may grant it at any moment after.
        let sentAt = BootInstant.now
        do {
            let response = try await http.send(request)
            if let session = response.headers[Self.sessionField] {
                progress.withLock { $0.sessions[url] = session }
            }
            guard response.status == 200 else {
                let problem = Problem(response.body)
                if response.status == 409, problem.isStaleReport {
                    // Overtaken by a later one of ours: no news, and no failure.
                    return isOutranked(sequence) ? "\(url): \(problem.text(response.status))" : nil
                }
                return "\(url): \(problem.text(response.status))"
            }
            let reply = try WireJSON.decode(
                ReportReply.self, from: response.body, allowsNUL: false)
            if let fault = reply.fault { return "\(url): its answer is ignored: \(fault)" }
            if case .ignored(let reason) = try await state.accept(reply, sentAt: sentAt) {
                return "\(url): its answer is ignored: \(reason)"
            }
            isAccepted(sequence)
            witness.hear(reply.checkpoint, stated: stated, from: url)
            state.peersNow.signal()
            return nil
        } catch {
            return "\(url): \(error)"
        }
    }

    /// What an orchestrator says when it does not take a report.
    struct Problem {
        var type: String?
        var detail: String?

        init(_ body: [UInt8]) {
            let problem = try? JSONDecoder().decode(JSONValue.self, from: Data(body))
            type = problem?["type"]?.string
            detail = (problem?["detail"]?.string ?? problem?["title"]?.string).map {
                String($0.prefix(500))
            }
        }

        var isStaleReport: Bool { type?.hasSuffix(":stale-report") == true }

        func text(_ status: Int) -> String {
            "status \(status)" + (detail.map { ", \($0)" } ?? "")
        }
    }

    private func isAccepted(_ sequence: Int64) {
        progress.withLock { progress in
            progress.acceptedSequence = max(progress.acceptedSequence, sequence)
            progress.outranked = 0
        }
    }

    /// Counts a report that was refused as stale though it is newer than each one that was accepted.
    ///
    /// - Returns: whether that is no matter of order any more: another agent reports in this
    ///   node's name.
    private func isOutranked(_ sequence: Int64) -> Bool {
        let (isOutranked, isNews) = progress.withLock { progress -> (Bool, Bool) in
            guard sequence > progress.acceptedSequence else { return (false, false) }
            progress.outranked += 1
            return (
                progress.outranked >= Self.outrankedLimit,
                progress.outranked == Self.outrankedLimit
            )
        }
        if isNews {
            logger.critical(
                "another agent reports for this node: end one of the two",
                metadata: ["next_report_in_ms": "\(Self.outrankedPauseMs)"])
        }
        return isOutranked
    }

    private func connected(to url: String) {
        let isNews = progress.withLock { progress in
            defer {
                progress.isConnected = true
                progress.told = ToldFailures()
            }
            return progress.isConnected != true
        }
        if isNews { logger.info("an orchestrator answers", metadata: ["url": "\(url)"]) }
    }

    private func disconnected(_ failures: [String]) {
        let now = BootInstant.now
        let isNews = progress.withLock { progress in
            progress.isConnected = false
            return progress.told.note(failures, at: now)
        }
        guard isNews else { return }
        logger.warning(
            "no orchestrator takes the reports; the agent keeps trying",
            metadata: ["failures": .array(failures.map { "\($0)" })])
    }
}
