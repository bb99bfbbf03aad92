import ContinuityCore
import ContinuityHTTP
import ContinuityNode
import Foundation
import Logging

/// Watches the primary's lease on the boot clock, asks the other voters when no orchestrator
/// renews it, and has the service fenced when it runs out.
struct LeaseGuard: Sendable {
    /// Between two rounds of asking, in milliseconds.
    private static let askAgainMs: Int64 = 200
    /// A stalled or suspended process notices at the latest this long after it goes on.
    private static let longestSleepMs: Int64 = 1000

    let state: NodeState
    let http: HTTPClient
    let fence: @Sendable (_ reason: String) async -> CommandResult
    let logger: Logger

    /// Runs until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.guardLease() }
            group.addTask { await self.askPeersWhenNeeded() }
        }
    }

    private func guardLease() async {
        while !Task.isCancelled {
            let now = BootInstant.now
            let (verdict, next) = state.checkLease(now: now)
            if case .fence(let reason) = verdict {
                logger.error("fencing this node's service", metadata: ["reason": "\(reason)"])
                let result = await fence(reason)
                log(result)
                if result.outcome != .succeeded {
                    try? await Task.sleep(for: .milliseconds(200))
                }
                continue
            }
            let restMs = next.map { max(1, $0 - .now) } ?? Self.longestSleepMs
            await state.guardNow.wait(atMost: .milliseconds(min(restMs, Self.longestSleepMs)))
        }
    }

    private func log(_ result: CommandResult) {
        let metadata: Logger.Metadata = [
            "outcome": "\(result.outcome)", "detail": "\(result.detail)",
            "method": "\(result.receipt?.method ?? "none")",
        ]
        if result.outcome == .succeeded {
            logger.notice("the service is fenced", metadata: metadata)
        } else {
            logger.critical("the fence failed; it will be tried again", metadata: metadata)
        }
    }

    // MARK: The control plane is lost

    private func askPeersWhenNeeded() async {
        while !Task.isCancelled {
            if case .askPeers = state.checkLease(now: .now).0 { await askPeers() }
            let pauseMs = state.isPrimary ? Self.askAgainMs : Self.longestSleepMs
            try? await Task.sleep(for: .milliseconds(pauseMs))
        }
    }

    /// Extends the lease if every other voter promises not to be promoted meanwhile.
    private func askPeers() async {
        guard let peers = state.peers else { return }
        let leaseMs = state.leaseDurationMs
        guard leaseMs > 0 else { return }
        let request = PromiseRequest(
            clusterID: state.configuration.clusterID, nodeID: state.configuration.nodeID,
            epoch: state.highestEpoch, promiseMs: Self.promiseMs(for: leaseMs))
        let sentAt = BootInstant.now
        let refusals = await withTaskGroup(of: String?.self) { group in
            for peer in peers {
                group.addTask { await self.refusal(of: peer, to: request) }
            }
            return await group.reduce(into: [String]()) { if let text = $1 { $0.append(text) } }
        }
        guard refusals.isEmpty else {
            return logger.warning(
                "not every voter promises; the lease is not extended",
                metadata: ["refusals": .array(refusals.map { "\($0)" })])
        }
        state.grantLease(milliseconds: min(leaseMs, request.promiseMs * 9 / 10), from: sentAt)
        logger.notice(
            "no orchestrator answers; every other voter promised, the lease goes on",
            metadata: ["promise_ms": "\(request.promiseMs)", "voters": "\(peers.count)"])
    }

    /// The promise outlasts the lease that rests on it by a tenth: clocks run at different speeds,
    /// and the fence at the lease's end takes time too. Found by simulation.
    private static func promiseMs(for leaseMs: Int64) -> Int64 {
        min(leaseMs + leaseMs / 9 + 1, PromiseRequest.longestMs)
    }

    private func refusal(of peer: PeerAddress, to request: PromiseRequest) async -> String? {
        // An answer after the lease has run out is worth nothing.
        let timeoutMs = min(max(state.standing().leaseMs, 50), 1000)
        do {
            var question = HTTPRequest(
                method: "POST", url: "\(peer.agentURL)/v1/promises",
                headers: ["Content-Type": "application/json"],
                body: try CanonicalJSON.bytes(encoding: request),
                timeout: .milliseconds(timeoutMs), connectTimeout: .milliseconds(timeoutMs),
                maxResponseBytes: 64 << 10)
            state.configuration.sign(&question, to: .peer(peer.nodeID))
            let response = try await http.send(question)
            guard response.status == 200 else { return "\(peer.nodeID): \(response.status)" }
            let reply = try JSONDecoder().decode(PromiseReply.self, from: Data(response.body))
            guard reply.nodeID == peer.nodeID else {
                return "\(peer.nodeID): \(reply.nodeID) answered in its place"
            }
            return reply.promised ? nil : "\(peer.nodeID): \(reply.detail)"
        } catch {
            return "\(peer.nodeID): \(error)"
        }
    }
}
