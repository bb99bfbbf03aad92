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
        local path, problem, kind = ctx.secret(conf.secret)
        if not path then
            return nil, problem, kind
        end
        local answer, message, code = ctx.http.post(
            { "https://hooks.slack.com/services/", path },
            { json = { text = summary(ctx) .. " (" .. ctx.run.run_id .. ")" } })
        return accepted(answer, message, code, "Slack")
    end,
}
