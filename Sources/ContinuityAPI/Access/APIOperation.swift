package import ContinuityCore

/// Everything that the API answers, and who may ask: the only place where that is said.
///
/// What has no case here is refused, whoever asks. `docs/security/access.md` is made from it, and
/// a test asks a real server for every cell of that table.
package enum APIOperation: String, CaseIterable, Sendable {
    case live, ready, deepHealth, metrics, openAPI
    case report, links
    case whoAmI, status, auditList, auditShow, events, drillShow
    case failover, switchover, adopt, drill
    case brakeShow, brakeClear, pause, resume, maintenanceStart, maintenanceEnd
    case scheduleList, schedule, scheduleCancel
    case approve, acceptDataLoss, refuse, breakGlass, reviewClose
    case approvalLinkShow, approvalLinkAnswer
    case plan, execute, statusOfBody, simulate
    case hooksReload, hookDismiss, tokenCreate, tokenList, tokenRevoke, tokenClaim

    package enum Need: Hashable, Sendable {
        /// Also those who do not say who they are.
        case anyone
        /// The agent of the node that it is about.
        case agent
        case role(AccessRole)
    }

    package struct Rule: Sendable {
        package var method: String
        /// As the router writes it.
        package var path: String
        package var need: Need
        /// The commands that ask for it.
        package var commands: [String] = []
        /// It changes something: it must be new, and is never carried out twice.
        package var changes = false
        /// It is about no cluster, so a credential that is bound to clusters does not reach it.
        package var isFleetWide = false
    }

    static let prefix = "/api/v1/continuity"

    package var rule: Rule {
        func read(
            _ path: String, _ need: Need, _ commands: String..., isFleetWide: Bool = false
        ) -> Rule {
            Rule(
                method: "GET", path: Self.prefix + path, need: need, commands: commands,
                isFleetWide: isFleetWide)
        }
        func change(
            _ path: String, _ role: AccessRole, _ commands: String..., isFleetWide: Bool = false
        ) -> Rule {
            Rule(
                method: "POST", path: Self.prefix + path, need: .role(role), commands: commands,
                changes: true, isFleetWide: isFleetWide)
        }
        /// What is asked stands in the body, and nothing is changed or journaled.
        func look(_ path: String, _ role: AccessRole) -> Rule {
            Rule(method: "POST", path: Self.prefix + path, need: .role(role))
        }
        return switch self {
        case .live: Rule(method: "GET", path: "/health/live", need: .anyone)
        case .ready: Rule(method: "GET", path: "/health/ready", need: .anyone)
        // They tell more than a stranger should know.
        case .deepHealth:
            Rule(method: "GET", path: "/health/deep", need: .role(.viewer))
        case .metrics: Rule(method: "GET", path: "/metrics", need: .role(.viewer))
        case .openAPI:
            Rule(
                method: "GET", path: Self.prefix + "/openapi.json", need: .anyone,
                commands: [])
        case .report:
            // Its sequence and boot id, and the session, take the place of time and nonce.
            Rule(
                method: "POST", path: Self.prefix + "/agent/report", need: .agent,
                commands: ["agent"])
        case .links:
            Rule(
                method: "GET", path: Self.prefix + "/agent/links", need: .agent,
                commands: ["agent"])
        case .whoAmI: read("/whoami", .role(.viewer), "whoami")
        case .status: read("/status", .role(.viewer), "status")
        case .auditList: read("/audit", .role(.viewer), "audit list", "run list", "run show")
        case .auditShow: read("/audit/{seq}", .role(.viewer), "audit show")
        case .events: read("/events", .role(.viewer))
        case .drillShow: read("/drill/{drill_id}", .role(.viewer), "drill run")
        case .failover: change("/failover", .operator, "failover")
        case .switchover: change("/switchover", .operator, "switchover")
        case .adopt: change("/adopt", .operator, "adopt")
        case .drill: change("/drill", .operator, "drill run")
        case .brakeShow: read("/brake", .role(.viewer), "brake show")
        case .brakeClear: change("/brake/clear", .admin, "brake clear", isFleetWide: true)
        case .pause: change("/pause", .operator, "pause")
        case .resume: change("/resume", .operator, "resume")
        case .maintenanceStart: change("/maintenance/start", .operator, "maintenance start")
        case .maintenanceEnd: change("/maintenance/end", .operator, "maintenance end")
        case .scheduleList: read("/schedules", .role(.viewer), "schedule list")
        case .schedule: change("/schedules", .operator, "failover", "switchover")
        case .scheduleCancel: change("/schedules/cancel", .operator, "schedule cancel")
        case .approve: change("/approvals/{approval_id}/approve", .operator, "approve")
        case .acceptDataLoss:
            change("/approvals/{approval_id}/accept-data-loss", .operator, "approve")
        case .refuse: change("/approvals/{approval_id}/refuse", .operator, "refuse")
        // The link itself is what proves who asks; it answers one request, once.
        case .approvalLinkShow:
            Rule(method: "GET", path: Self.prefix + "/approval-links/{link}", need: .anyone)
        case .approvalLinkAnswer:
            Rule(method: "POST", path: Self.prefix + "/approval-links/{link}", need: .anyone)
        case .breakGlass: change("/break-glass", .admin, "break-glass")
        case .reviewClose: change("/reviews/{review_id}/close", .admin, "review close")
        case .plan: look("/plan", .operator)
        case .execute: change("/execute", .operator)
        case .statusOfBody: look("/status", .viewer)
        case .simulate: look("/simulate", .viewer)
        case .hooksReload: change("/hooks/reload", .admin, "hooks reload", isFleetWide: true)
        case .hookDismiss: change("/hooks/dismiss", .operator, "hooks dismiss")
        case .tokenCreate: change("/tokens", .admin, "token create", isFleetWide: true)
        case .tokenList: read("/tokens", .role(.admin), "token list", isFleetWide: true)
        case .tokenRevoke: change("/tokens/revoke", .admin, "token revoke", isFleetWide: true)
        // About the token that is shown and no other, whatever that is bound to.
        case .tokenClaim: change("/tokens/claim", .viewer, "token claim")
        }
    }

    /// `nil`: nothing is declared, so nobody may.
    /// HEAD is answered wherever GET is, by GET's rules and without its body.
    static func of(method: String, path: String?) -> APIOperation? {
        let method = method == "HEAD" ? "GET" : method
        return path.flatMap { byRoute["\(method) \($0)"] }
    }

    private static let byRoute: [String: APIOperation] = Dictionary(
        uniqueKeysWithValues: allCases.map { ("\($0.rule.method) \($0.rule.path)", $0) })
}

/// The table for people.
package enum AccessTable {
    /// Commands that ask no server: what the machine lets their user do, they may.
    package static let localCommands = [
        "serve", "demo", "plan", "simulate", "access", "openapi", "audit verify", "audit export",
        "audit redact", "audit sign", "audit access", "audit key init", "audit key show", "backup",
        "restore", "context add", "context list", "context remove", "context use",
        "hooks check", "hooks doctor", "hooks list", "hooks new", "hooks replay", "hooks run",
        "hooks test", "pki init", "pki issue", "pki renew", "pki show", "postgres check",
        "postgres follow", "postgres prepare", "postgres rejoin", "postgres restart",
        "postgres status",
    ]

    package static var markdown: String {
        var lines = [
            "| route | commands | anyone | agent | viewer | operator | admin | changes |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for operation in APIOperation.allCases {
            let rule = operation.rule
            let cells = [
                "`\(rule.method) \(rule.path)`",
                rule.commands.map { "`\($0)`" }.joined(separator: ", "),
                rule.need == .anyone ? "yes" : "",
                rule.need == .anyone || rule.need == .agent ? "yes" : "",
            ]
            let roles = AccessRole.allCases.map { role in
                switch rule.need {
                case .anyone: true
                case .agent: false
                case .role(let least): least <= role
                }
            }
            let row =
                cells + roles.map { $0 ? "yes" : "" } + [rule.changes ? "yes" : ""]
            lines.append("| " + row.joined(separator: " | ") + " |")
        }
        lines += [
            "",
            "Without a server: " + localCommands.map { "`\($0)`" }.joined(separator: ", ") + ".",
        ]
        return lines.joined(separator: "\n")
    }
}
