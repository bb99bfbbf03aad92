import ContinuityCore

extension APIOperation {
    private static let token: [Schema.Field] = [
        .required("token_id", CommonSchemas.tokenID),
        .required("name", CommonSchemas.name, "What it is for."),
        .required("owner", CommonSchemas.name, "Who answers for what is done with it."),
        .required("created_by", CommonSchemas.name),
        .optional(
            "known_by", .array(CommonSchemas.text), "Everybody else who could know its secret."),
        .required("role", .choice(of: AccessRole.self)),
        .required("clusters", .array(CommonSchemas.clusterID), "Empty: all."),
        .required("created_at_ms", CommonSchemas.atMs),
        .required("expires_at_ms", CommonSchemas.atMs),
        .optional("revoked_at_ms", CommonSchemas.atMs),
    ]
    private static let tokenExample: [String: JSONValue] = [
        "token_id": "tok-5f0c6b1e9a3d", "name": "deploy", "owner": "ben", "created_by": "ana",
        "known_by": ["ana"],
        "role": "operator", "clusters": ["orders"], "created_at_ms": 1_785_000_000_000,
        "expires_at_ms": 1_787_592_000_000,
    ]

    var accessDescription: OperationDescription {
        switch self {
        case .whoAmI: whoAmIDescription
        case .tokenCreate: tokenCreateDescription
        case .tokenRevoke: tokenRevokeDescription
        default:
            OperationDescription(
                tag: .access, summary: "Every token, without its secret",
                answers: [
                    .init(
                        200, "The tokens.",
                        .object([
                            .required("tokens", .array(.named("Token", .object(Self.token))))
                        ]), example: ["tokens": [.object(Self.tokenExample)]])
                ])
        }
    }

    private var whoAmIDescription: OperationDescription {
        OperationDescription(
            tag: .access, summary: "Who one is to the server",
            answers: [
                .init(
                    200, "The caller.",
                    .object([
                        .required("name", CommonSchemas.text),
                        .required("credential", CommonSchemas.text, "How it was shown."),
                        .required("role", .choice(of: AccessRole.self)),
                        .required("clusters", .array(CommonSchemas.clusterID), "Empty: all."),
                    ]),
                    example: [
                        "name": "ana", "credential": "certificate", "role": "admin",
                        "clusters": [],
                    ])
            ], needsJournal: false)
    }

    private var tokenCreateDescription: OperationDescription {
        OperationDescription(
            tag: .access, summary: "Make a token",
            body: .init(
                schema: .object([
                    .required("name", CommonSchemas.plainName, "What it is for."),
                    .optional(
                        "owner", CommonSchemas.plainName,
                        "Who answers for it; whoever asks, where it is missing."),
                    .required("role", .choice(of: AccessRole.self)),
                    .optional(
                        "clusters", .array(CommonSchemas.clusterID, max: 100),
                        "To which it is bound; empty: to none."),
                    .required("expires_in_s", .integer(60...APIServer.tokenSecondsMax)),
                ]),
                example: [
                    "name": "deploy", "owner": "ben", "role": "operator", "clusters": ["orders"],
                    "expires_in_s": 2_592_000,
                ]),
            answers: [
                .init(
                    201, "The token, with its secret: the only time that it is said.",
                    .object(
                        Self.token + [
                            .required(
                                "token",
                                .text(
                                    TextRule(
                                        length: 54...54,
                                        parts: [
                                            .literal("continuity_"),
                                            .characters(
                                                .alphanumeric + CharacterRule("-_"), 43...43),
                                        ])))
                        ]),
                    example: .object(
                        Self.tokenExample.merging([
                            "token": .string("continuity_" + String(repeating: "x", count: 43))
                        ]) { $1 }))
            ],
            refusals: [
                .init(
                    409, "token-refused",
                    "ben has a token named 'deploy'; revoke it, or choose another name")
            ])
    }

    private var tokenRevokeDescription: OperationDescription {
        OperationDescription(
            tag: .access, summary: "Revoke a token, at once and for good",
            body: .init(
                schema: .object([
                    .required("token_id", CommonSchemas.tokenID),
                    .optional("reason", CommonSchemas.remark),
                ]), example: ["token_id": "tok-5f0c6b1e9a3d", "reason": "lost laptop"]),
            answers: [
                .init(
                    200, "The token as it is now.", .named("Token", .object(Self.token)),
                    example: .object(
                        Self.tokenExample.merging(["revoked_at_ms": 1_785_000_100_000]) { $1 }))
            ],
            refusals: [.init(409, "token-refused", "there is no token 'tok-5f0c6b1e9a3d'")])
    }
}
