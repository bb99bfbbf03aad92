import ContinuityCore
import ContinuityTransport
import HTTPTypes
import Hummingbird

extension Endpoints {
    /// The node's own figures, for Prometheus.
    func metrics() -> Response {
        let standing = state.standing()
        let (service, leaseMs) = (standing.service, standing.leaseMs)
        var page = PrometheusText()
        page.add(
            "continuity_agent_service_running", .gauge, "1: the service runs and answers.",
            service.state == .running ? 1 : 0)
        page.add(
            "continuity_agent_service_primary", .gauge, "1: the service is a primary.",
            service.role == .primary ? 1 : 0)
        page.add(
            "continuity_agent_lease_remaining_seconds", .gauge,
            "What is left of the primary's lease; at 0 the node is fenced.",
            Double(leaseMs) / 1000)
        page.add(
            "continuity_agent_highest_epoch", .gauge, "The highest epoch that was seen.",
            Double(state.highestEpoch))
        page.add(
            "continuity_agent_guard_running", .gauge, "1: the guard process stands beside it.",
            state.guardLink?.status.state == .guarding ? 1 : 0)
        page.add(
            "continuity_agent_peer_reachable", .gauge, "1: the peer's agent answers.",
            state.views.sorted { $0.key < $1.key }.map {
                .init(["peer": $0.key.rawValue], $0.value == .reachable)
            })
        page.addProcess()
        return Response(
            status: .ok,
            headers: [.contentType: PrometheusText.contentType, .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: page.text)))
    }
}
