import ContinuityConfig
package import ContinuityCore

/// Everything that `ctx` can do. Policies get none of it but the log.
package enum CapabilityCatalogue {
    package static let operations: [CapabilityOperation] =
        clock + http + dns + agent + others

    package static func operation(_ name: String) -> CapabilityOperation? { byName[name] }

    private static let byName = Dictionary(
        uniqueKeysWithValues: operations.map { ($0.name, $0) })

    // MARK: http

    private static let options: [CapabilityField] = [
        CapabilityField(
            "headers", .map(.text), optional: true,
            "header fields by name; a value may be joined from texts and secrets"),
        CapabilityField("body", .text, optional: true, "the body as text"),
        CapabilityField(
            "json", .any, optional: true, "the body as a value; secrets may stand in it"),
        CapabilityField(
            "timeout_ms", .integer, optional: true,
            "milliseconds for the whole exchange, 1 to 30000; 5000 when absent"),
    ]
    static let response = CapabilityType.record(
        "HTTPResponse",
        [
            CapabilityField("status", .integer, "the status code, whatever it says"),
            CapabilityField("headers", .map(.string), "header fields by lower-case name"),
            CapabilityField(
                "body", .string, "the body as text"),
            CapabilityField(
                "json", .any, optional: true,
                "the body's value where it is JSON; fractions come as texts"),
            CapabilityField(
                "withheld", .string, optional: true,
                "there when the answer held a secret: why headers and body are empty"),
        ])
    private static let httpCodes = [
        code("address_refused", "the name leads to an address that is not granted"),
        code("tls", "the certificate is not trusted, or does not have a granted key"),
        code("timed_out", "no whole answer in time"),
        code("unreachable", "no connection; nothing was sent"),
        code("in_doubt", "the connection ended without an answer; it may have been carried out"),
        code("too_large", "the answer exceeds 256 KiB"),
        code("bad_response", "the answer is not HTTP, or its body not UTF-8 text"),
    ]
    private static let httpStub: JSONValue = [
        "status": 200, "headers": [:], "body": "{}", "json": [:],
    ]

    private static let http: [CapabilityOperation] =
        [
            CapabilityOperation(
                "http.request", .read,
                [
                    CapabilityField(
                        "request",
                        .record(
                            "HTTPRequest",
                            [
                                CapabilityField("method", .oneOf(HTTPRule.methods), "the method"),
                                CapabilityField("url", .text, "an absolute URL"),
                            ] + options), "the request")
                ], response, codes: httpCodes, stub: httpStub,
                "Sends a request. GET and HEAD are reads, all others effects.")
        ]
        + ["get", "head"].map { name in
            CapabilityOperation(
                "http.\(name)", .read,
                [
                    CapabilityField("url", .text, "an absolute URL"),
                    CapabilityField(
                        "options", .record("HTTPOptions", options), optional: true,
                        "headers and time"),
                ], response, codes: httpCodes, stub: httpStub,
                "Sends a \(name.uppercased()) request.")
        }
        + ["delete", "patch", "post", "put"].map { name in
            CapabilityOperation(
                "http.\(name)", .effect,
                [
                    CapabilityField("url", .text, "an absolute URL"),
                    CapabilityField(
                        "options", .record("HTTPOptions", options), optional: true,
                        "headers, body and time"),
                ], response, codes: httpCodes, stub: httpStub,
                "Sends a \(name.uppercased()) request.")
        }

    // MARK: dns

    private static let prerequisite = CapabilityType.record(
        "DNSPrerequisite",
        [
            CapabilityField("name", .string, "a full name"),
            CapabilityField("type", .oneOf(DNSRule.types), optional: true, "a record type"),
            CapabilityField(
                "exists", .boolean, optional: true,
                "false: no such name or record may exist. Otherwise one must"),
            CapabilityField(
                "data", .list(.string), optional: true, "the records must be exactly these"),
        ])
    private static let dns: [CapabilityOperation] = [
        CapabilityOperation(
            "dns.lookup", .read,
            [
                CapabilityField("name", .string, "a full name in a granted zone"),
                CapabilityField("type", .oneOf(DNSRule.types), "a record type"),
            ],
            .record(
                "DNSAnswer",
                [
                    CapabilityField("status", .string, "NOERROR, NXDOMAIN, …"),
                    CapabilityField(
                        "records",
                        .list(
                            .record(
                                "DNSRecord",
                                [
                                    CapabilityField("name", .string, "the owner"),
                                    CapabilityField("ttl", .integer, "seconds"),
                                    CapabilityField("type", .string, "the type"),
                                    CapabilityField("data", .string, "as in a zone file"),
                                ])), "the answer section"),
                ]),
            codes: [
                code("timed_out", "the server did not answer"),
                code("withheld", "the answer held a secret"),
            ],
            "Asks the granted server, and nobody else, for records."),
        CapabilityOperation(
            "dns.update", .effect,
            [
                CapabilityField(
                    "update",
                    .record(
                        "DNSUpdate",
                        [
                            CapabilityField("zone", .string, "the zone"),
                            CapabilityField("name", .string, "the full name to change"),
                            CapabilityField("type", .oneOf(DNSRule.types), "the record type"),
                            CapabilityField(
                                "ttl", .integer, optional: true, "seconds, 0 to 604800; 60"),
                            CapabilityField(
                                "data", .list(.string),
                                "the records afterwards, in place of all of this name and type"),
                            CapabilityField(
                                "prerequisites", .list(prerequisite), optional: true,
                                "what must hold, or nothing is changed"),
                        ]), "the update")
            ], .boolean,
            codes: [
                code("prerequisite_failed", "a prerequisite did not hold: nothing was changed"),
                code("refused", "the server refused the update or the key"),
                code("in_doubt", "no answer: it may have been carried out"),
            ],
            "Replaces the records of one name and type, all or nothing (RFC 2136), signed with "
                + "the key that the grant names."),
    ]

    // MARK: agent

    private static let agentOptions = CapabilityField(
        "options",
        .record(
            "AgentOptions",
            [CapabilityField("timeout_ms", .integer, optional: true, "1 to 30000; 3000")]),
        optional: true, "time")
    private static let agentCodes = [
        code("failed", "the command ran and did not reach its goal"),
        code("refused", "the agent did not take the order, or the run forbids it here"),
        code("withheld", "the answer held a secret"),
        code("timed_out", "it did not end in time"),
        code("unreachable", "the agent did not answer"),
    ]
    private static let agent: [CapabilityOperation] = [
        CapabilityOperation(
            "agent.command", .read,
            [
                CapabilityField("node_id", .string, "a node of the same cluster"),
                CapabilityField(
                    "command", .string,
                    "`status` reads. `prepare`, `demote`, `fence`, `follow` and what the agents' "
                        + "`hook_commands` name are effects"),
                agentOptions,
            ],
            .record(
                "AgentAnswer",
                [
                    CapabilityField("detail", .string, "for people"),
                    CapabilityField(
                        "service", .any, optional: true,
                        "the service as in ctx.target.service, read just now"),
                    CapabilityField(
                        "output", .string, optional: true,
                        "what a program of the agent's own printed"),
                ]),
            codes: agentCodes, stub: ["detail": "drill: not sent"],
            "Has an agent carry out a command by name, under the run's epoch and a key of its own."
        ),
        CapabilityOperation(
            "agent.read", .read,
            [
                CapabilityField("node_id", .string, "a node of the same cluster"),
                CapabilityField(
                    "name", .string, "of the agents' `hook_commands` one with `reads_only: true`"),
                agentOptions,
            ],
            .record(
                "AgentReading",
                [
                    CapabilityField("output", .string, "what the program printed"),
                    CapabilityField(
                        "json", .any, optional: true,
                        "its value where it is JSON; fractions come as texts"),
                ]),
            codes: agentCodes,
            "Has an agent run one of its own programs that only read. Drills do it too."),
    ]

    // MARK: The others

    private static let others: [CapabilityOperation] = [
        CapabilityOperation(
            "haproxy.command", .read,
            [
                CapabilityField("address", .string, "of the runtime API, as granted"),
                CapabilityField("command", .string, "one command of HAProxy's runtime API"),
            ], .string,
            codes: [
                code("unreachable", "no connection; nothing was sent"),
                code("in_doubt", "no whole answer: it may have been carried out"),
                code("withheld", "the answer held a secret"),
            ], stub: "",
            "Sends one command to HAProxy's runtime API and gives its answer. `show` and `get` "
                + "are reads, all others effects."),
        CapabilityOperation(
            "notify", .effect,
            [
                CapabilityField("channel", .string, "a channel of the alert outbox"),
                CapabilityField(
                    "message",
                    .record(
                        "Notification",
                        [
                            CapabilityField("summary", .string, "one line for people"),
                            CapabilityField(
                                "severity", .oneOf(["info", "warning", "critical"]),
                                optional: true, "info when absent"),
                            CapabilityField(
                                "data", .map(.any), optional: true, "for machines"),
                        ]), "the message"),
            ], .boolean,
            "Queues an alert. It is durable before the call returns, and is delivered at least "
                + "once."),
        CapabilityOperation(
            "secret", .read, [CapabilityField("name", .string, "the secret's name")], .secret,
            "A handle to a secret, for the headers, URL, body or json of a request to the host "
                + "that the secret is bound to. The script never holds the value."),
    ]

    private static let clock = [
        CapabilityOperation(
            "now", .read, [], .integer, "The broker's clock: UTC milliseconds since 1970.")
    ]

    private static func code(_ name: String, _ meaning: String) -> CapabilityOperation.Code {
        CapabilityOperation.Code(name: name, meaning: meaning)
    }
}

extension CapabilityCatalogue {
    /// Whether a checked call, in the form that the broker sees, changes anything outside.
    package static func isEffect(_ name: String, _ arguments: JSONValue) -> Bool {
        switch name {
        case "http.request": !["GET", "HEAD"].contains(arguments["method"]?.string ?? "")
        case "agent.command": arguments["command"]?.string != "status"
        case "haproxy.command":
            !["show", "get"].contains(
                arguments["command"]?.string?.split(separator: " ").first.map(String.init) ?? "")
        default: operation(name)?.kind != .read
        }
    }

    /// What answers an effect that is not carried out, in drills and in fixtures.
    package static func stub(_ name: String) -> JSONValue { operation(name)?.stub ?? true }
}
