import ContinuityCore
import ContinuityHTTP
import ContinuityNode
import Foundation
import Synchronization

/// Forms this node's view of the other nodes, one probe per peer and interval.
final class PeerProber: Sendable {
    private let state: NodeState
    private let witness: WitnessKeeper
    private let http: HTTPClient
    private let inFlight = Mutex<Set<NodeID>>([])

    init(state: NodeState, witness: WitnessKeeper, http: HTTPClient) {
        self.state = state
        self.witness = witness
        self.http = http
    }

    /// Runs until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            var lastRound: BootInstant?
            while !Task.isCancelled {
                let known = Set(state.views.keys)
                let now = BootInstant.now
                let isDue = lastRound.map { now - $0 >= state.intervalMs } ?? true
                // Woken early by a reply: only peers that are new are looked at at once.
                let due = (state.peers ?? []).filter { isDue || !known.contains($0.nodeID) }
                if isDue { lastRound = now }
                for peer in due {
                    guard inFlight.withLock({ $0.insert(peer.nodeID).inserted }) else { continue }
                    group.addTask {
                        let view = await self.look(at: peer)
                        if !Task.isCancelled { self.state.observed(view, of: peer.nodeID) }
                        _ = self.inFlight.withLock { $0.remove(peer.nodeID) }
                    }
                }
                let restMs = max(1, state.intervalMs - (.now - (lastRound ?? now)))
                await state.peersNow.wait(atMost: .milliseconds(restMs))
            }
        }
    }

    /// One failure proves little, so a peer that cannot be reached is looked at again after 50 ms.
    /// Both looks together take an interval at most: a view that is older is no vote.
    private func look(at peer: PeerAddress) async -> PeerView {
        let deadline = BootInstant.now + min(state.intervalMs, 2000)
        let first = await lookOnce(at: peer, timeoutMs: max(20, (deadline - .now) * 6 / 10))
        guard first == .serviceOnly || first == .unreachable else { return first }
        let pauseMs = min(50, max(1, (deadline - .now) / 4))
        try? await Task.sleep(for: .milliseconds(pauseMs))
        return await lookOnce(at: peer, timeoutMs: max(20, deadline - .now))
    }

    /// Asks agent and service at the same time: a silent peer must not cost the time of both.
    private func lookOnce(at peer: PeerAddress, timeoutMs: Int64) async -> PeerView {
        await withTaskGroup(of: (isAgent: Bool, view: PeerView?).self) { group in
            group.addTask { (true, await self.askAgent(of: peer, timeoutMs: timeoutMs)) }
            group.addTask { (false, await self.askService(of: peer, timeoutMs: timeoutMs)) }
            var service: PeerView?
            for await (isAgent, view) in group {
                guard isAgent else {
                    service = view
                    continue
                }
                if let view {
                    group.cancelAll()
                    return view
                }
            }
            return service ?? .unreachable
        }
    }

    private func askAgent(of peer: PeerAddress, timeoutMs: Int64) async -> PeerView? {
        var request = HTTPRequest(
            url: "\(peer.agentURL)/health", timeout: .milliseconds(timeoutMs),
            connectTimeout: .milliseconds(timeoutMs), maxResponseBytes: 64 << 10)
        if state.configuration.tls != nil {
            state.configuration.sign(&request, to: .peer(peer.nodeID))
        }
        guard let response = try? await http.send(request), response.isSuccess else { return nil }
        let health = try? WireJSON.decode(PeerHealth.self, from: response.body)
        if let kept = health?.witness?.bounded { witness.compare(with: kept, of: peer.nodeID) }
        return health?.service?.state == .stopped ? .serviceStopped : .reachable
    }

    private func askService(of peer: PeerAddress, timeoutMs: Int64) async -> PeerView {
        guard let service = Endpoint(peer.serviceAddress) else { return .unreachable }
        // A healthy agent answers before this, and then its service is not bothered.
        let startMs = min(100, timeoutMs / 5)
        guard (try? await Task.sleep(for: .milliseconds(startMs))) != nil else {
            return .unreachable
        }
        let timeoutMs = timeoutMs - startMs
        let failure = await TCPProbe.failure(
            connectingTo: service, asking: peer.probe, timeoutMs: timeoutMs)
        return failure == nil ? .serviceOnly : .unreachable
    }

    /// Witnesses that were shown different histories find out from each other.
    private struct PeerHealth: Decodable {
        /// What a newer agent may say of its service is no failure.
        struct Service: Decodable {
            var state: ServiceReport.State?

            init(from decoder: any Decoder) throws {
                let values = try decoder.container(keyedBy: Keys.self)
                state = try? values.decode(ServiceReport.State.self, forKey: .state)
            }

            private enum Keys: String, CodingKey { case state }
        }

        var service: Service?
        var witness: WitnessState?
    }
}
