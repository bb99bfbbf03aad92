package import ContinuityCore
import ContinuityCrypto
import Foundation

/// Who is reached by a channel that one person alone reads, and where that person finds `serve`.
package struct ChannelApprover: Hashable, Sendable {
    package var person: String
    /// `https://continuity.example.com:8443`, without a path.
    package var baseURL: String

    package init(person: String, baseURL: String) {
        self.person = person
        self.baseURL = baseURL
    }
}

/// Lets the person of one channel answer one request for approval, once, without a token at hand.
///
/// Whoever holds the link acts as that person until the request ends. It is signed with a key that
/// is derived from the channel's own secret: who knows that secret reads the link anyway.
package struct ApprovalLink: Codable, Hashable, Sendable {
    package enum Act: String, Codable, Hashable, Sendable { case approve, refuse }

    package var act: Act
    package var approvalID: ApprovalID
    package var clusterID: ClusterID
    package var channel: String
    package var person: String
    package var expiresAtMs: Int64

    private static let purpose = Array("continuity approval link v1".utf8)
    private static let textBytesMax = 2048

    private enum CodingKeys: String, CodingKey {
        case act
        case approvalID = "approval_id"
        case clusterID = "cluster_id"
        case channel, person
        case expiresAtMs = "expires_at_ms"
    }

    /// What follows the last `/` of the link.
    func text(_ secret: WebhookSecret) throws -> String {
        let body = try CanonicalJSON.bytes(encoding: self)
        return base64URL(body) + "." + base64URL(Self.signature(body, secret))
    }

    /// `nil`: it was not made here, or is no link at all. Its time is the caller's to check.
    package init?(parsing text: String, channels: [AlertChannel]) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= Self.textBytesMax, parts.count == 2,
            let body = bytes(base64URL: parts[0]),
            let signature = bytes(base64URL: parts[1]),
            let link = try? JSONDecoder().decode(ApprovalLink.self, from: Data(body)),
            let channel = channels.first(where: { $0.name == link.channel }),
            // A channel that was given to somebody else takes its old links with it.
            channel.approver?.person == link.person,
            constantTimeEqual(signature, Self.signature(body, channel.secret))
        else { return nil }
        self = link
    }

    init(
        act: Act, approvalID: ApprovalID, clusterID: ClusterID, channel: String, person: String,
        expiresAtMs: Int64
    ) {
        self.act = act
        self.approvalID = approvalID
        self.clusterID = clusterID
        self.channel = channel
        self.person = person
        self.expiresAtMs = expiresAtMs
    }

    private static func signature(_ body: [UInt8], _ secret: WebhookSecret) -> [UInt8] {
        HMACSHA256.authenticate(
            body, key: HMACSHA256.authenticate(purpose, key: secret.key))
    }
}

extension AlertChannel {
    /// The alert as this channel gets it: with links, where it asks its person for an approval.
    func addressed(_ alert: Alert) -> Alert {
        guard let approver, alert.type == "continuity.approval.requested",
            case .object(var data) = alert.data, let id = data["approval_id"]?.string,
            let expiresAtMs = data["expires_at_ms"]?.int
        else { return alert }
        for act in [ApprovalLink.Act.approve, .refuse] {
            let link = ApprovalLink(
                act: act, approvalID: ApprovalID(id), clusterID: alert.clusterID, channel: name,
                person: approver.person, expiresAtMs: expiresAtMs)
            guard let text = try? link.text(secret) else { return alert }
            data["\(act.rawValue)_url"] = .string(
                "\(approver.baseURL)/api/v1/continuity/approval-links/\(text)")
        }
        var addressed = alert
        addressed.data = .object(data)
        return addressed
    }
}
