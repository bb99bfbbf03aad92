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
        /// What each orchestrator wants its reports to name, by its URL.
        var sessions: [String: String] = [:]
    }

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
                if begin() {
                    group.addTask {
                        await self.sendReport()
                        if self.end() { self.state.reportNow.signal() }
                    }
                }
                await state.reportNow.wait(atMost: nextPause())
            }
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
        let intervalUs = state.intervalMs * 1000
        let spreadUs = intervalUs * state.jitterPermille / 1000
        return .microseconds(intervalUs + Int64.random(in: -spreadUs...spreadUs))
    }

    private func sendReport() async {
        let urls = state.configuration.orchestrators
        let first = progress.withLock(\.preferred)
        let body: [UInt8]
        let stated = witness.state
        do {
            var report = state.nextReport()
            report.witness = stated
            body = try CanonicalJSON.bytes(encoding: report)
        } catch {
            return logger.error("the report cannot be encoded", metadata: ["error": "\(error)"])
        }
        var failures: [String] = []
        for offset in urls.indices {
            let index = (first + offset) % urls.count
            guard !Task.isCancelled else { return }
            if let failure = await send(body, stating: stated, to: urls[index]) {
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
        _ body: [UInt8], stating stated: WitnessState?, to url: String
    ) async -> String? {
        let known = progress.withLock { $0.sessions[url] }
        let failure = await sendOnce(body, stating: stated, to: url)
        // An orchestrator that has started since names another session, and wants it at once.
        let current = progress.withLock { $0.sessions[url] }
        return current == known
            ? failure : failure == nil ? nil : await sendOnce(body, stating: stated, to: url)
    }

    private func sendOnce(
        _ body: [UInt8], stating stated: WitnessState?, to url: String
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
            // Overtaken by a later one: no news, and no failure.
            if response.status == 409, Self.isStaleReport(response.body) { return nil }
            guard response.status == 200 else { return "\(url): status \(response.status)" }
            let reply = try JSONDecoder().decode(ReportReply.self, from: Data(response.body))
            guard try await state.accept(reply, sentAt: sentAt) else {
                return "\(url): epoch \(reply.epoch) is stale, \(state.highestEpoch) is known"
            }
            witness.hear(reply.checkpoint, stated: stated, from: url)
            state.peersNow.signal()
            return nil
        } catch {
            return "\(url): \(error)"
        }
    }

    private static func isStaleReport(_ body: [UInt8]) -> Bool {
        let problem = try? JSONDecoder().decode(JSONValue.self, from: Data(body))
        return problem?["type"]?.string?.hasSuffix(":stale-report") == true
    }

    private func connected(to url: String) {
        let isNews = progress.withLock { progress in
            defer { progress.isConnected = true }
            return progress.isConnected != true
        }
        if isNews { logger.info("an orchestrator answers", metadata: ["url": "\(url)"]) }
    }

    private func disconnected(_ failures: [String]) {
        let isNews = progress.withLock { progress in
            defer { progress.isConnected = false }
            return progress.isConnected != false
        }
        guard isNews else { return }
        logger.warning(
            "no orchestrator answers; the agent keeps trying",
            metadata: ["failures": .array(failures.map { "\($0)" })])
    }
}
