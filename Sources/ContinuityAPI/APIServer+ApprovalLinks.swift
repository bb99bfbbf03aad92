package import ContinuityCore
import ContinuityTransport
import Foundation
import HTTPTypes
import Hummingbird

/// What a signed link of an alert allows its bearer to do, once.
package struct SignedLink: Sendable {
    package var isApproval: Bool
    package var approvalID: ApprovalID
    package var clusterID: ClusterID
    package var person: String
    package var expiresAtMs: Int64

    package init(
        isApproval: Bool, approvalID: ApprovalID, clusterID: ClusterID, person: String,
        expiresAtMs: Int64
    ) {
        self.isApproval = isApproval
        self.approvalID = approvalID
        self.clusterID = clusterID
        self.person = person
        self.expiresAtMs = expiresAtMs
    }
}

/// Approving from an alert. Looking at a link changes nothing, since mail and chat programs look at
/// links by themselves: the page has a button, and only that answers.
extension APIServer {
    func addApprovalLinkRoutes(to api: RouterGroup<APIContext>) {
        api.get("approval-links/{link}") { [self] _, context in
            let link = try link(context)
            let pending = try await pending(link)
            return Self.page(
                """
                <h1>\(Self.escaped(link.isApproval ? "Approve" : "Refuse")) this move?</h1>
                <p>\(Self.escaped(Self.described(pending)))</p>
                <form method="post"><label>Why <input name="reason" required maxlength="500">\
                </label> <button>\(link.isApproval ? "Approve" : "Refuse") as \
                \(Self.escaped(link.person))</button></form>
                """)
        }
        api.post("approval-links/{link}") { [self] request, context in
            let link = try link(context)
            let reason = try await Self.reason(of: request)
            let act: ApprovalAct =
                link.isApproval
                ? .approve(link.clusterID, link.approvalID, reason: reason)
                : .refuse(link.clusterID, link.approvalID, reason: reason)
            let principal = Principal(
                actor: link.person, person: link.person,
                groups: rules.groups(of: link.person),
                address: context.channel.remoteAddress?.ipAddress)
            let reply = try await Self.journaled {
                try await orchestrator.approval(act, by: principal)
            }
            // What was refused is told as a problem.
            _ = try Self.answer(reply)
            return Self.page(
                "<h1>\(link.isApproval ? "Approved" : "Refused")</h1><p>It is in the journal.</p>")
        }
    }

    private func link(_ context: APIContext) throws -> SignedLink {
        let text = try context.parameters.require("link")
        guard let link = openLink(text), link.expiresAtMs > nowMs() else {
            throw Problem(
                .notFound, "no-such-link",
                "this link is not valid, or its time is over; use "
                    + "'continuity approve'")
        }
        return link
    }

    private func pending(_ link: SignedLink) async throws -> PendingApproval {
        let status = try await Self.journaled { try await orchestrator.status() }
        let cluster = status.clusters.first { $0.clusterID == link.clusterID }
        let asked = [cluster?.approval, cluster?.scheduledApproval].compactMap(\.self)
        guard let pending = asked.first(where: { $0.approvalID == link.approvalID }) else {
            throw Problem(
                .notFound, "no-such-approval", "it was answered, has expired, or is void")
        }
        return pending
    }

    private static func described(_ approval: PendingApproval) -> String {
        let plan = approval.plan
        let loss = approval.dataLoss.map {
            " It may lose \($0.lagMs) ms of data\($0.bytes.map { " (\($0) bytes)" } ?? ""); "
                + "accept that apart, with 'continuity approve'."
        }
        if approval.kind == .arranged {
            let target = approval.targetNodeID?.rawValue ?? "the best node then"
            return "\(approval.requestedBy.person) asks, in advance, for the arranged "
                + "\(plan.kind.rawValue) of \(plan.clusterID) from \(plan.primaryNodeID) to "
                + "\(target) (today \(plan.failoverTargetID)): \(approval.reason)."
        }
        return "\(approval.requestedBy.person) asks for a \(plan.kind.rawValue) of "
            + "\(plan.clusterID) from \(plan.primaryNodeID) to \(plan.failoverTargetID), by "
            + "\(plan.planID): \(approval.reason)." + (loss ?? "")
    }

    private static func reason(of request: Request) async throws -> String {
        let bytes = try await request.body.collect(upTo: 8192)
        for pair in String(buffer: bytes).split(separator: "&") where pair.hasPrefix("reason=") {
            let text = pair.dropFirst("reason=".count).replacing("+", with: " ")
            if let reason = String(text).removingPercentEncoding, (1...500).contains(reason.count) {
                return reason
            }
        }
        throw Problem(.badRequest, "bad-reason", "say why, in 1 to 500 characters")
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
            .replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
            .replacing("'", with: "&#39;")
    }

    private static func page(_ body: String) -> Response {
        let html = """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>continuity</title>\
            <meta name="viewport" content="width=device-width"><body>\(body)</body></html>
            """
        // What else a browser is told, each answer tells it.
        let headers: HTTPFields = [
            .contentType: "text/html; charset=utf-8",
            .contentSecurityPolicy: "default-src 'none'; base-uri 'none'; form-action 'self'; "
                + "frame-ancestors 'none'",
        ]
        return Response(
            status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(string: html)))
    }
}
