local verbs = { failover = "failed over", switchover = "switched over", restart = "restarted" }

local function summary(ctx)
    return string.format(
        "%s was %s from %s to %s", ctx.cluster.name or ctx.cluster.cluster_id,
        verbs[ctx.run.kind] or ctx.run.kind, ctx.plan.primary_node_id, ctx.plan.failover_target_id)
end

local function accepted(answer, message, code, who)
    if not answer then
        return nil, string.format("%s not told: %s (%s)", who, message, code)
    end
    if answer.status < 200 or answer.status > 299 then
        return nil, string.format("%s answered with status %d", who, answer.status)
    end
    return { status = answer.status }
end

return {
    notify = function(ctx, conf)
        local labels = {
            alertname = "ContinuityRun", cluster = ctx.cluster.cluster_id,
            severity = conf.severity, kind = ctx.run.kind, run_id = ctx.run.run_id,
            from = ctx.plan.primary_node_id, to = ctx.plan.failover_target_id,
        }
        for _, text in ipairs(conf.labels) do
            local name, value = text:match("^([%a_][%w_]*)=(.*)$")
            if not name then
                return nil, "the label '" .. text .. "' is not written as name=value"
            end
            labels[name] = value
        end
        local answer, message, code = ctx.http.post(conf.url .. "/api/v2/alerts", {
            json = { { labels = labels, annotations = { summary = summary(ctx) } } },
        })
        return accepted(answer, message, code, "Alertmanager")
    end,
}
