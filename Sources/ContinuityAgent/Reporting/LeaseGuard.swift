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
    /// Between two tries to fence, in milliseconds.
    private static let fenceAgainMs: Int64 = 200

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
            let (verdict, next) = state.checkLease(now: .now)
            switch verdict {
            case .fence(let reason):
                if await fenceNow(reason) { continue }
                await state.guardNow.wait(atMost: .milliseconds(Self.fenceAgainMs))
            case .leave(let reason):
                leaveUndone("\(reason): it would be fenced, but no agent ever held a lease here")
                await state.guardNow.wait(atMost: .milliseconds(Self.longestSleepMs))
            case .idle, .valid, .askPeers:
                leaveUndone(nil)
                await state.guardNow.wait(atMost: .milliseconds(Self.pauseMs(until: next)))
            }
        }
    }

    /// Timers run on a clock that may be slewed, so one that is set for the whole time can be late:
    /// it is set short of it, and again for the rest.
    static func pauseMs(until next: BootInstant?, now: BootInstant = .now) -> Int64 {
        guard let next else { return longestSleepMs }
        let restMs = next - now
        return max(1, min(restMs > 10 ? restMs * 9 / 10 : restMs, longestSleepMs))
    }

    private func leaveUndone(_ what: String?) {
        guard state.leaveUndone(what), let what else { return }
        logger.critical("the service is left as it is", metadata: ["reason": "\(what)"])
    }

    /// - Returns: whether the service is stopped.
    func fenceNow(_ reason: String) async -> Bool {
        guard state.configuration.mode == .act else {
            leaveUndone("\(reason): it would be fenced, but the agent only observes")
            return false
        }
        logger.error("fencing this node's service", metadata: ["reason": "\(reason)"])
        let result = await fence(reason)
        log(result)
        return result.outcome == .succeeded && !state.isPrimary
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

    /// Extends the lease if enough of the other voters promise not to be promoted meanwhile.
    private func askPeers() async {
        // A voter that knows a newer leadership names it: the promise does not end with the old one.
        for _ in 0..<3 where await askOnce() { continue }
    }

    /// - Returns: whether it is worth asking again at once.
    private func askOnce() async -> Bool {
        guard let (peers, rule) = state.electorate else { return false }
        let leaseMs = state.leaseDurationMs
        guard leaseMs > 0 else { return false }
        let known = state.leadership
        var round = PromiseRound(
            from: state.configuration.nodeID, of: state.configuration.clusterID, obeying: known,
            peers: peers.map(\.nodeID), rule: rule, leaseMs: leaseMs, at: .now)
        let request = round.request
        let asked = peers.filter { round.asked.contains($0.nodeID) }
        let answers = await withTaskGroup(of: (NodeID, PromiseReply).self) { group in
            for peer in asked {
                group.addTask { (peer.nodeID, await self.answer(of: peer, to: request)) }
            }
            var refusals: [PromiseReply] = []
            var isExtended = round.needed == 0
            if isExtended { extend(round, leaseMs) }
            for await (voter, reply) in group {
                guard reply.promised else {
                    refusals.append(reply)
                    continue
                }
                if round.promise(of: voter) {
                    isExtended = true
                    extend(round, leaseMs)
                    // The others need not be waited for.
                    group.cancelAll()
                }
            }
            return isExtended ? nil : refusals
        }
        guard let answers else { return false }
        logger.warning(
            "not enough voters promise; the lease is not extended",
            metadata: [
                "needed": "\(round.needed)",
                "refusals": .array(answers.map { "\($0.nodeID): \($0.detail)" }),
            ])
        let newest = answers.compactMap { reply in
            reply.epoch.map { Leadership(epoch: $0, instanceID: reply.instanceID) }
        }.max { $0.epoch < $1.epoch }
        guard let newest, newest.epoch > known.epoch || known.instanceID == nil else {
            return false
        }
        do {
            try await state.raise(to: newest)
        } catch {
            logger.error("the state cannot be saved", metadata: ["error": "\(error)"])
            return false
        }
        return state.leadership != known
    }

    private func extend(_ round: PromiseRound, _ leaseMs: Int64) {
        state.grantLease(milliseconds: round.leaseMs(of: leaseMs), from: round.sentAt)
        logger.notice(
            "no orchestrator answers; the voters promised, and the lease goes on",
            metadata: [
                "promise_ms": "\(round.request.promiseMs)", "promises": "\(round.needed)",
                "voters": "\(round.asked.count + 1)",
            ])
    }

    private func answer(of peer: PeerAddress, to request: PromiseRequest) async -> PromiseReply {
        func refusal(_ detail: String) -> PromiseReply {
            PromiseReply(nodeID: peer.nodeID, promised: false, detail: detail)
        }
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
            guard response.status == 200 else { return refusal("status \(response.status)") }
            let reply = try WireJSON.decode(PromiseReply.self, from: response.body)
            if let fault = reply.fault { return refusal(fault) }
            guard reply.nodeID == peer.nodeID else {
                return refusal("\(reply.nodeID) answered in its place")
            }
            return reply
        } catch {
            return refusal("\(error)")
        }
    }
}
