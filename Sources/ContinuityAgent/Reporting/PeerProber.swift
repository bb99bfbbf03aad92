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

    /// One failure proves little, so anything but `reachable` is looked at again after 50 ms.
    private func look(at peer: PeerAddress) async -> PeerView {
        let first = await lookOnce(at: peer)
        guard first != .reachable else { return first }
        try? await Task.sleep(for: .milliseconds(50))
        return await lookOnce(at: peer)
    }

    private func lookOnce(at peer: PeerAddress) async -> PeerView {
        let timeoutMs = min(state.intervalMs, 1000)
        var request = HTTPRequest(
            url: "\(peer.agentURL)/health", timeout: .milliseconds(timeoutMs),
            connectTimeout: .milliseconds(timeoutMs), maxResponseBytes: 64 << 10)
        if state.configuration.tls != nil {
            state.configuration.sign(&request, to: .peer(peer.nodeID))
        }
        if let response = try? await http.send(request), response.isSuccess {
            hearWitness(response.body, of: peer.nodeID)
            return .reachable
        }
        guard let service = Endpoint(peer.serviceAddress) else { return .unreachable }
        let failure = await TCPProbe.failure(
            connectingTo: service, asking: peer.probe, timeoutMs: timeoutMs)
        return failure == nil ? .serviceOnly : .unreachable
    }

    private struct PeerHealth: Decodable {
        var witness: WitnessState?
    }

    /// Witnesses that were shown different histories find out from each other.
    private func hearWitness(_ body: [UInt8], of node: NodeID) {
        guard let health = try? JSONDecoder().decode(PeerHealth.self, from: Data(body)),
            let kept = health.witness
        else { return }
        witness.compare(with: kept, of: node)
    }
}
