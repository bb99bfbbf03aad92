import ContinuityCore
import ContinuityCrypto
import Foundation

/// What many operations share.
enum CommonSchemas {
    // MARK: Texts

    /// Names a cluster or a node, as its file does.
    static let id = Schema.text(
        TextRule(length: 1...128, parts: [.characters(.visible, 1...1), shownRest]))
    static let clusterID = Schema.named("ClusterID", id)
    static let nodeID = Schema.named("NodeID", id)
    /// What a person writes for the journal to keep: one line that says something.
    static let reason = Schema.named(
        "Reason",
        .text(TextRule(length: 1...500, parts: [.characters(.visible, 1...1), shownRest])))
    /// The same where nothing needs to be said.
    static let remark = Schema.named("Remark", .text(TextRule(length: 0...500, parts: [shownRest])))
    static let person = Schema.named(
        "Person",
        .text(TextRule(length: 1...100, parts: [.characters(.visible, 1...1), shownRest]))
    )
    /// What the server says to people.
    static let text = Schema.text(TextRule(length: 0...Int.max))
    static let name = Schema.text(TextRule(length: 1...Int.max))
    static let sha256 = Schema.text(
        TextRule(length: 64...64, parts: [.characters(.hex, 64...64)]))

    static func identifier(_ prefix: String, digits: Int = 16) -> Schema {
        let length = prefix.count + digits
        return .text(
            TextRule(
                length: length...length,
                parts: [.literal(prefix), .characters(.hex, digits...digits)]))
    }

    private static let shownRest = TextRule.Part.characters(.shown, 0...Int.max)

    static let planID = Schema.named("PlanID", identifier("plan-"))
    static let runID = Schema.named("RunID", identifier("run-"))
    static let drillID = Schema.named("DrillID", identifier("drill-"))
    static let approvalID = Schema.named("ApprovalID", identifier("approval-"))
    static let reviewID = Schema.named("ReviewID", identifier("review-run-"))
    static let tokenID = Schema.named("TokenID", identifier("tok-", digits: 12))

    /// RFC 3339, as ``APIServer`` reads it.
    static let time = Schema.text(
        TextRule(
            length: 1...40, format: "date-time",
            isOfFormat: { APITime.milliseconds(of: $0) != nil }))

    /// A name that can stand in an identity.
    static let plainName = Schema.named(
        "PlainName",
        .text(
            TextRule(
                length: 1...128,
                parts: [.characters(.alphanumeric + CharacterRule("-._~@+"), 1...Int.max)])))

    /// UTC milliseconds since 1970.
    static let atMs = Schema.named(
        "Milliseconds", Schema.count.noted("UTC, in milliseconds since 1970."))

    static let claimedPerson = Schema.Field.optional(
        "requested_by", person,
        "Who asks, where the server cannot tell: with the shared token on the loopback "
            + "interface. Elsewhere it is passed over, and the credential's owner stands.")

    // MARK: Answers

    static let problemBody = Schema.object([
        .required(
            "type", .text(TextRule(length: 1...Int.max, parts: problemType)),
            "Stable; for programs."),
        .required("title", text, "The status in words."),
        .required("status", .integer(400...599)),
        .required("detail", text, "For people, with what to do."),
    ])

    private static let problemType: [TextRule.Part] = [
        .literal("urn:continuity:problem:"),
        .characters(.lowercase + .digits + CharacterRule("-"), 1...Int.max),
    ]

    /// An order that was taken at once.
    static let noted = Schema.named(
        "Noted", .object([.required("seq", .integer(1...Int64.max), "The entry of the journal.")]))
    static let notedAnswer = OperationDescription.Answer(
        200, "It is in the journal.", noted, example: ["seq": 42])

    // MARK: What changes carry

    static let stampParameters: [OperationDescription.Parameter] = [
        .init(
            name: "Continuity-Timestamp", place: .header, schema: .integer(1...Int64.max),
            isRequired: true,
            note: "When the request was made, in milliseconds since 1970. At most 30 s old.",
            example: 1_785_000_000_000),
        .init(
            name: "Continuity-Nonce", place: .header,
            schema: .text(
                TextRule(length: 16...64, parts: [.characters(.visibleASCII, 16...64)])),
            isRequired: true, note: "Random, and never used before.",
            example: "5f0c6b1e9a3d47c2"),
    ]

    // MARK: Refusals

    static let noNonce = OperationDescription.Refusal(
        400, "no-nonce",
        "send the time as 'Continuity-Timestamp: <milliseconds since 1970>' and a random "
            + "'Continuity-Nonce' of 16 to 64 characters")
    static let stale = OperationDescription.Refusal(
        409, "stale-request", "it was made 31000 ms ago; make it anew")
    static let tooLarge = OperationDescription.Refusal(
        413, "body-too-large", "the body must arrive whole, within 1048576 bytes")
    static let unauthorized = OperationDescription.Refusal(
        401, "unauthorized", "show a certificate, or send a token as 'Authorization: Bearer …'",
        headers: [
            .init(
                name: "WWW-Authenticate", note: "How to say who one is.",
                schema: .choice(["Bearer"]))
        ])
    static let forbidden = OperationDescription.Refusal(
        403, "forbidden", "the role 'admin' is needed, and ana has 'viewer'")
    static let tooMany = OperationDescription.Refusal(
        429, "too-many-requests", "this identity asks for more than it may; try again in 2 s",
        headers: [
            .init(name: "Retry-After", note: "In seconds.", schema: .integer(1...3600))
        ])
    static let journalUnavailable = OperationDescription.Refusal(
        503, "journal-unavailable", "the journal cannot be used, nothing was done")
    static let overloaded = OperationDescription.Refusal(
        503, "overloaded", "the server has more to do than it can take; try again",
        headers: [
            .init(name: "Retry-After", note: "In seconds.", schema: .integer(1...3600))
        ])
    static let stopping = OperationDescription.Refusal(
        503, "stopping", "the server is stopping; nothing was done")
    static let noSuchCluster = OperationDescription.Refusal(
        404, "no-such-cluster", "the server's configuration has no cluster 'orders'")
    static let noSuchNode = OperationDescription.Refusal(
        404, "no-such-node", "the cluster has no node 'node-9'")
}
