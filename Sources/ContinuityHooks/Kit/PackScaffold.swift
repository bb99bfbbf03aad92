package import ContinuityCore

/// The files of a new pack: complete, with a test that passes.
package struct PackScaffold: Sendable {
    package let name: String
    package let kind: HookKind

    package init(name: String, kind: HookKind) {
        self.name = name
        self.kind = kind
    }

    package var stage: Stage {
        switch kind {
        case .policy: .admit
        case .check: .preCheck
        case .action: .notify
        }
    }

    /// By path within the pack.
    package var files: [(path: String, text: String)] {
        [
            ("hook.yaml", manifest), ("main.lua", script), ("README.md", readme),
            ("tests/passes.yaml", passing), ("tests/objects.yaml", objecting),
            (".luarc.json", LuaDefinitions.packLuarc), (".luacheckrc", LuaDefinitions.luacheckrc),
            ("library/continuity.d.lua", LuaDefinitions.text()),
        ]
    }

    private var manifest: String {
        var text = """
            api: hooks/v1
            name: \(name)
            version: 0.1.0
            kind: \(kind.rawValue)
            stages: [\(stage.rawValue)]
            description: Say here in one line what it does.
            config:

            """
        switch kind {
        case .policy, .check:
            text += """
                  max_lag_ms:
                    type: integer
                    default: 5000
                    description: The largest lag of the target that is fine.

                """
        case .action:
            text += """
                  channel:
                    type: string
                    default: oncall
                    description: The notification channel. The operator must grant it.
                capabilities:
                  notify:
                    channels: ["*"]

                """
        }
        return text + """
            budgets:
              wall_ms: 1000
              cpu_ms: 100
            drill: run

            """
    }

    private var script: String {
        switch kind {
        case .policy:
            """
            -- Judges a move before it begins. Pure: the same input, the same verdict.

            ---@param ctx continuity.Context
            ---@param conf table
            local function admit(ctx, conf)
                local lag = ctx.target.service and ctx.target.service.lag_ms
                if lag and lag > conf.max_lag_ms then
                    return {
                        verdict = "deny",
                        reason = string.format("%s lags %d ms", ctx.target.node_id, lag),
                    }
                end
                return { verdict = "allow", reason = "the target is close enough" }
            end

            return { admit = admit }

            """
        case .check:
            """
            -- Looks before the move begins, and vetoes it with `nil, "why"`.

            ---@param ctx continuity.Context
            ---@param conf table
            local function pre_check(ctx, conf)
                local lag = ctx.target.service and ctx.target.service.lag_ms
                if lag and lag > conf.max_lag_ms then
                    return nil, string.format("%s lags %d ms", ctx.target.node_id, lag)
                end
                ctx.log("fine:", ctx.target.node_id)
                return true
            end

            return { pre_check = pre_check }

            """
        case .action:
            """
            -- Acts once the move is made. In a drill the notification is only recorded.

            ---@param ctx continuity.Context
            ---@param conf table
            local function notify(ctx, conf)
                local summary = string.format(
                    "%s moved to %s", ctx.cluster.cluster_id, ctx.plan.failover_target_id)
                local sent, message, code = ctx.notify(conf.channel, { summary = summary })
                if not sent then
                    return nil, string.format("not told: %s (%s)", message, code)
                end
                return { summary = summary }
            end

            return { notify = notify }

            """
        }
    }

    private func fixture(_ name: String, lagMs: Int, more: String = "", expect: String) -> String {
        """
        name: \(name)
        entry: \(stage.rawValue)
        \(more)context:
          cluster: {cluster_id: orders, primary_node_id: db-1}
          plan: {primary_node_id: db-1, failover_target_id: db-2}
          target: {node_id: db-2, service: {state: running, lag_ms: \(lagMs)}}
        expect:
        \(expect)

        """
    }

    private var passing: String {
        switch kind {
        case .policy:
            fixture(
                "a target that is close is allowed", lagMs: 10,
                expect: "  status: ok\n  verdict: allow")
        case .check:
            fixture(
                "a target that is close passes", lagMs: 10,
                expect: "  status: ok\n  logs: [\"fine: db-2\"]\n  effects: []")
        case .action:
            fixture(
                "the move is told", lagMs: 10, more: "grant: {notify: [oncall]}\n",
                expect: """
                      status: ok
                      effects:
                        - {call: notify, args: {channel: oncall, summary: orders moved to db-2}}
                    """)
        }
    }

    private var objecting: String {
        switch kind {
        case .policy:
            fixture(
                "a target that lags is denied", lagMs: 9000,
                expect: "  status: ok\n  verdict: deny\n  reason: db-2 lags 9000 ms")
        case .check:
            fixture(
                "a target that lags is a veto", lagMs: 9000,
                expect: "  status: failed\n  error: db-2 lags 9000 ms")
        case .action:
            fixture(
                "an outbox that takes nothing is a failure", lagMs: 10,
                more: """
                    grant: {notify: [oncall]}
                    replies:
                      - {ok: false, error: the outbox is full, code: unavailable}

                    """,
                expect: "  status: failed\n  error: the outbox is full (unavailable)")
        }
    }

    private var readme: String {
        """
        # \(name)

        Say here what it does, and when it objects.

        | option | type | default | meaning |
        |---|---|---|---|
        \(kind == .action
            ? "| `channel` | string | `oncall` | the channel; the operator must grant it |"
            : "| `max_lag_ms` | integer | 5000 | the largest lag of the target that is fine |")

        ```sh
        continuity hooks check .
        continuity hooks test . --coverage
        ```

        """
    }
}
