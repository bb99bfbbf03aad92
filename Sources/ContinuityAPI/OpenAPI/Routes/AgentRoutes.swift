import ContinuityCore

extension APIOperation {
    private var session: OperationDescription.HeaderNote {
        .init(
            name: "Continuity-Session", note: "Drawn anew at each start of the server.",
            schema: .text(TextRule(length: 32...32, parts: [.characters(.hex, 32...32)])))
    }

    var agentDescription: OperationDescription {
        guard self == .report else { return linksDescription }
        return OperationDescription(
            tag: .agents, summary: "An agent's report, and the lease of its node",
            note: "Fields that are not described here are passed over: agents and servers of "
                + "different versions work together.",
            parameters: [
                .init(
                    name: "Continuity-Session", place: .header,
                    schema: .text(TextRule(length: 1...64)), isRequired: false,
                    note: "As the server named it last. Without it the answer is 409, and names "
                        + "it.", example: "none")
            ],
            body: .init(schema: AgentSchemas.report, example: AgentSchemas.reportExample),
            answers: [
                .init(
                    200, "What holds for the node.", AgentSchemas.reply,
                    example: AgentSchemas.replyExample, headers: [session])
            ],
            refusals: [
                CommonSchemas.noSuchCluster, CommonSchemas.noSuchNode,
                .init(
                    409, "stale-session",
                    "name the session of this answer's 'Continuity-Session' and send it again",
                    headers: [session]),
                .init(409, "stale-report", "a later report of this node came before"),
                .init(
                    409, "second-agent",
                    "another agent reports for node-1 as well, and goes on: stop this one, or give "
                        + "it a node_id of its own"),
            ])
    }

    private var linksDescription: OperationDescription {
        OperationDescription(
            tag: .agents, summary: "The headers of entries, without their bodies",
            note: "With them a witness sees that one checkpoint extends another.",
            parameters: [
                .query("after", .count, "The entries after this one.", example: 0),
                .query(
                    "limit", .integer(1...Int64(APIServer.maxEntries)),
                    "At most so many; 100 where it is missing.", example: 100),
            ],
            answers: [
                .init(
                    200, "The headers, in order.", AgentSchemas.links,
                    example: AgentSchemas.linksExample)
            ])
    }
}
