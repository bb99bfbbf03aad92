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
        local headers = { ["idempotency-key"] = ctx.idempotency_key }
        if conf.secret then
            local token, problem, kind = ctx.secret(conf.secret)
            if not token then
                return nil, problem, kind
            end
            headers.authorization = { "Bearer ", token }
        end
        local answer, message, code = ctx.http.post(conf.url, {
            headers = headers,
            json = {
                summary = summary(ctx), cluster_id = ctx.cluster.cluster_id, epoch = ctx.epoch,
                run = ctx.run, plan_id = ctx.plan.plan_id, from = ctx.plan.primary_node_id,
                to = ctx.plan.failover_target_id,
            },
        })
        return accepted(answer, message, code, "the webhook")
    end,
}
