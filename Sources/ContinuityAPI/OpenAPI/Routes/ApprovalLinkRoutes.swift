import ContinuityCore

extension APIOperation {
    private var link: OperationDescription.Parameter {
        .path(
            "link",
            .text(
                TextRule(
                    length: 1...2048,
                    parts: [.characters(.alphanumeric + CharacterRule("-_.~="), 1...Int.max)])),
            "The signed part of the link.",
            example: "not-a-link")
    }

    private var linkRefusals: [OperationDescription.Refusal] {
        [
            .init(
                404, "no-such-link",
                "this link is not valid, or its time is over; use 'continuity approve'"),
            .init(404, "no-such-approval", "it was answered, has expired, or is void"),
        ]
    }

    var approvalLinkDescription: OperationDescription {
        guard self == .approvalLinkAnswer else {
            return OperationDescription(
                tag: .approvals, summary: "The page that a link in an alert leads to",
                note: "Looking changes nothing: the page has a button.", parameters: [link],
                answers: [page("A form to approve or refuse with.")], refusals: linkRefusals)
        }
        return OperationDescription(
            tag: .approvals, summary: "Approve or refuse by a link in an alert",
            note: "The link proves who asks. It answers one request, once.", parameters: [link],
            body: .init(
                form: .urlEncoded,
                schema: .object([.required("reason", CommonSchemas.reason)]),
                example: ["reason": "seen the graphs"]),
            answers: [page("It is in the journal.")],
            refusals: linkRefusals + [
                CommonSchemas.noSuchCluster,
                .init(409, "same-person", "ana asked for it: somebody else must approve"),
            ])
    }

    private func page(_ note: String) -> OperationDescription.Answer {
        .init(200, note, type: "text/html", example: "<!doctype html><html lang=\"en\">…</html>")
    }
}
