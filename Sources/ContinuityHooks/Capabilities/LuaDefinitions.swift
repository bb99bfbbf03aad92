/// What editors and luacheck read: made from the same description that the broker checks calls by.
package enum LuaDefinitions {
    /// The text of `hooks/library/continuity.d.lua`, in LuaCATS notation.
    package static func text() -> String {
        var lines = [
            "---@meta",
            "-- The whole ctx of hooks/v1. Generated from the catalogue of capabilities in",
            "-- Sources/ContinuityHooks/Capabilities: do not edit.",
            "",
            "--- A handle to a secret. Its value never reaches the script.",
            "---@class continuity.Secret",
            "",
            "---@alias continuity.Text string|continuity.Secret|(string|continuity.Secret)[]",
            "",
        ]
        lines += data
        for record in records() { lines += record }
        lines += handles()
        return lines.joined(separator: "\n") + "\n"
    }

    /// The text of `.luacheckrc`.
    package static let luacheckrc = """
        -- Generated, do not edit: the globals that a hook has.
        std = {
            read_globals = {
                "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal",
                "rawget", "rawlen", "rawset", "select", "setmetatable", "tonumber", "tostring",
                "type", "xpcall", "_G",
                coroutine = {fields = {"create", "isyieldable", "resume", "running", "status",
                    "wrap", "yield"}},
                math = {other_fields = true},
                string = {other_fields = true},
                table = {other_fields = true},
                utf8 = {other_fields = true},
            },
        }
        exclude_files = {"library/*.d.lua", "**/library/*.d.lua"}
        max_line_length = 110

        """

    /// The text of `.luarc.json`.
    package static let luarc = luarc(library: "hooks/library")

    /// As it stands in a new pack, which brings its own definitions along.
    package static let packLuarc = luarc(library: "library")

    private static func luarc(library: String) -> String {
        """
        {
          "runtime.version": "Lua 5.4",
          "runtime.builtin": {
            "debug": "disable", "ffi": "disable", "io": "disable", "jit": "disable",
            "os": "disable", "package": "disable", "bit32": "disable"
          },
          "workspace.library": ["\(library)"],
          "workspace.checkThirdParty": false
        }

        """
    }

    // MARK: The data part

    /// Fields of the classes that are data alone; `?` marks what may be absent.
    static let classes: [(name: String, documentation: String, fields: [String])] = [
        (
            "Service", "A service as its agent last reported it.",
            [
                "state \"running\"|\"stopped\"|\"failing\"|\"unknown\"",
                "role \"primary\"|\"secondary\"|\"unknown\"",
                "position_bytes? integer where its copy of the data ends",
                "lag_ms? integer how far it is behind, as it says itself", "streaming boolean",
                "detail string why the state is what it is; empty when all is well",
                "fenced? boolean whether its agent stopped it because its lease had ended",
                "synchronous? boolean whether a write is acknowledged only once another node holds it",
            ]
        ),
        (
            "Node", "A member of the cluster.",
            [
                "node_id string", "region string", "site string",
                "role \"primary\"|\"secondary\"|\"witness\"",
                "status \"healthy\"|\"degraded\"|\"failed\"|\"unknown\"", "priority integer",
                "capacity integer", "metadata table<string, string>",
                "service? continuity.Service", "heard_ms_ago? integer since its last report",
                "weight? integer its share of the load, of an active/active cluster",
            ]
        ),
        (
            "Cluster", "The cluster.",
            [
                "cluster_id string", "name string", "state string", "primary_node_id string",
                "nodes continuity.Node[]",
            ]
        ),
        (
            "PlannedAction", "One step of a plan.",
            [
                "action \"demote\"|\"promote\"|\"dns_flip\"|\"notify\"|\"verify\"|\"restart\"",
                "node_id string", "estimated_ms integer", "hooks string[]",
            ]
        ),
        (
            "TargetScores", "How a policy pack rates the nodes.",
            ["pack string", "scores table<string, integer>"]
        ),
        ("NodeWeight", "A node's share of the load.", ["node_id string", "weight integer"]),
        (
            "PassedOver", "A node that was not chosen, and why.",
            ["node_id string", "reason string"]
        ),
        (
            "Plan", "The plan that is carried out.",
            [
                "plan_id string", "cluster_id string", "policy_id string",
                "kind \"failover\"|\"switchover\"|\"restart\"|\"rebalance\"|\"adopt\"",
                "trigger_reason string", "primary_node_id string", "failover_target_id string",
                "actions continuity.PlannedAction[]", "estimated_total_ms integer",
                "max_failover_time_ms integer", "target_scores? continuity.TargetScores[]",
                "passed_over? continuity.PassedOver[] nodes that failed as targets lately",
                "weights? continuity.NodeWeight[] of an active/active cluster",
                "shed_permille? integer what nobody can bear, of an active/active cluster",
            ]
        ),
        (
            "Run", "The run.",
            [
                "run_id string",
                "kind \"failover\"|\"switchover\"|\"restart\"|\"rebalance\"|\"adopt\"",
                "trigger string", "requested_by string", "reason string",
            ]
        ),
        (
            "Deduction", "Why the confidence is below 100.",
            ["check string", "points integer", "evidence string"]
        ),
        (
            "Verification", "What the verification found.",
            [
                "confidence integer from 0 to 100",
                "band \"very_high\"|\"high\"|\"medium\"|\"low\"",
                "deductions continuity.Deduction[]",
            ]
        ),
    ]

    private static var data: [String] {
        classes.flatMap { entry in
            ["--- \(entry.documentation)", "---@class continuity.\(entry.name)"]
                + entry.fields.map { "---@field \($0)" } + [""]
        }
    }

    private static let contextFields = [
        "api string", "stage string", "drill boolean whether this is a drill",
        "now_ms integer when the call was made, UTC milliseconds since 1970",
        "deadline integer when the call must have ended, on the same clock",
        "deadline_ms integer the same as deadline",
        "epoch integer of the leadership; it only grows",
        "idempotency_key string names this call, the same when it is repeated",
        "cluster continuity.Cluster", "plan continuity.Plan", "run continuity.Run",
        "target? continuity.Node", "primary? continuity.Node",
        "verification? continuity.Verification",
    ]

    // MARK: The operations

    /// Every record type of the catalogue, each once, in order of first use.
    private static func records() -> [[String]] {
        var seen: Set<String> = []
        var found: [[String]] = []
        func visit(_ type: CapabilityType) {
            switch type {
            case .list(let inner), .map(let inner): visit(inner)
            case .record(let name, let fields):
                for field in fields { visit(field.type) }
                guard seen.insert(name).inserted else { return }
                found.append(
                    ["---@class continuity.\(name)"]
                        + fields.map { field in
                            "---@field \(field.name)\(field.isOptional ? "?" : "") "
                                + "\(field.type.lua) \(field.documentation)"
                        } + [""])
            default: break
            }
        }
        for operation in CapabilityCatalogue.operations {
            for argument in operation.arguments { visit(argument.type) }
            visit(operation.result)
        }
        return found
    }

    private static func handles() -> [String] {
        var groups: [String: [String]] = [:]
        var lines: [String] = []
        for operation in CapabilityCatalogue.operations {
            let parts = operation.name.split(separator: ".").map(String.init)
            let group = parts.count > 1 ? parts[0] : ""
            groups[group, default: []].append(field(operation, parts.last ?? operation.name))
        }
        for group in groups.keys.sorted() where !group.isEmpty {
            lines.append("---@class continuity.handle.\(group)")
            lines += groups[group] ?? []
            lines.append("")
        }
        lines += ["--- What a hook function is given.", "---@class continuity.Context"]
        lines += contextFields.map { "---@field \($0)" }
        lines.append("---@field log fun(...: any) Records one line.")
        for group in groups.keys.sorted() where !group.isEmpty {
            lines.append("---@field \(group) continuity.handle.\(group)")
        }
        lines += groups[""] ?? []
        return lines
    }

    private static func field(_ operation: CapabilityOperation, _ name: String) -> String {
        let arguments = operation.arguments.map { argument in
            "\(argument.name)\(argument.isOptional ? "?" : ""): \(argument.type.lua)"
        }
        let codes =
            operation.codes.isEmpty
            ? "" : " Codes: " + operation.codes.map(\.name).joined(separator: ", ") + "."
        return "---@field \(name) fun(\(arguments.joined(separator: ", "))): "
            + "\(operation.result.lua)?, string?, string? "
            + operation.documentation + codes
    }
}

// MARK: Members of ctx

extension LuaDefinitions {
    /// What `ctx` offers beside data, each with the operations of the catalogue behind it.
    static let handleGroups: Set<String> = Set(
        CapabilityCatalogue.operations.map { String($0.name.prefix { $0 != "." }) }
    ).subtracting(["now"])

    /// Why a chain of members that begins at `ctx` cannot be; `nil`: it can. `[]` stands for any
    /// index.
    static func unknownMember(of chain: [String]) -> String? {
        var type = "continuity.Context"
        var path = "ctx"
        for member in chain {
            if type.hasSuffix("[]") {
                guard member == "[]" else {
                    return "\(path) is a list and has no member '\(member)'"
                }
                type = String(type.dropLast(2))
                path += "[…]"
                continue
            }
            if type.hasPrefix("table<string, ") {
                type = String(type.dropFirst("table<string, ".count).dropLast())
                path += ".\(member)"
                continue
            }
            guard member != "[]", let fields = memberTypes[type] else { return nil }
            guard let next = fields[member] else {
                return "\(path).\(member) does not exist; " + hint(member, fields.keys.sorted())
            }
            type = next
            path += ".\(member)"
        }
        return nil
    }

    private static func hint(_ wrong: String, _ known: [String]) -> String {
        let near = known.filter { distance(Array($0.utf8), Array(wrong.utf8)) <= 2 }
        return near.isEmpty
            ? "known: \(known.joined(separator: ", "))"
            : "is it " + near.map { "'\($0)'" }.joined(separator: " or ") + "?"
    }

    /// How many letters must be put in, left out or replaced; swapped neighbours count two.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for at in right.indices {
                let replaced = diagonal + (byte == right[at] ? 0 : 1)
                diagonal = row[at + 1]
                row[at + 1] = min(replaced, diagonal + 1, row[at] + 1)
            }
        }
        return row[right.count]
    }

    /// By class: the type of each member.
    private static let memberTypes: [String: [String: String]] = {
        var types: [String: [String: String]] = [:]
        for entry in classes {
            types["continuity.\(entry.name)"] = memberTypes(entry.fields)
        }
        var context = memberTypes(contextFields)
        context["log"] = "fun"
        for operation in CapabilityCatalogue.operations {
            let parts = operation.name.split(separator: ".").map(String.init)
            guard parts.count > 1 else {
                context[parts[0]] = "fun"
                continue
            }
            context[parts[0]] = "continuity.handle.\(parts[0])"
            types["continuity.handle.\(parts[0])", default: [:]][parts[1]] = "fun"
        }
        types["continuity.Context"] = context
        return types
    }()

    private static func memberTypes(_ fields: [String]) -> [String: String] {
        var types: [String: String] = [:]
        for field in fields {
            let parts = field.split(separator: " ", maxSplits: 1).map(String.init)
            let name = parts[0].hasSuffix("?") ? String(parts[0].dropLast()) : parts[0]
            let rest = parts[1]
            let end = rest.hasPrefix("table<") ? rest.firstIndex(of: ">") : nil
            types[name] = end.map { String(rest[...$0]) } ?? String(rest.prefix { $0 != " " })
        }
        return types
    }
}
