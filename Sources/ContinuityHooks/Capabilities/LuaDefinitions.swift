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
    private static let classes: [(name: String, documentation: String, fields: [String])] = [
        (
            "Service", "A service as its agent last reported it.",
            [
                "state \"running\"|\"stopped\"|\"failing\"|\"unknown\"", "role? string",
                "position_bytes? integer", "lag_ms? integer", "streaming? boolean",
                "detail string",
            ]
        ),
        (
            "Node", "A member of the cluster.",
            [
                "node_id string", "region string", "site string",
                "role \"primary\"|\"secondary\"|\"witness\"",
                "status \"healthy\"|\"degraded\"|\"failed\"|\"unknown\"", "priority integer",
                "capacity integer", "metadata table<string, string>",
                "service? continuity.Service", "heard_ms_ago? integer",
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
            "Plan", "The plan that is carried out.",
            [
                "plan_id string", "kind \"failover\"|\"switchover\"|\"restart\"",
                "trigger_reason string", "primary_node_id string", "failover_target_id string",
                "actions table[]",
            ]
        ),
        (
            "Run", "The run.",
            [
                "run_id string", "kind \"failover\"|\"switchover\"|\"restart\"",
                "trigger string", "requested_by string", "reason string",
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
        "target? continuity.Node", "primary? continuity.Node", "verification? table",
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
