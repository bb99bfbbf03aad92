-- One notification for each finished move.

local verbs = { failover = "failed over", switchover = "switched over", restart = "restarted" }

local function summary(ctx)
    local cluster = ctx.cluster.name or ctx.cluster.cluster_id
    local verb = verbs[ctx.run.kind] or ctx.run.kind
    if ctx.run.kind == "restart" then
        return string.format("%s was %s on %s", cluster, verb, ctx.plan.primary_node_id)
    end
    return string.format(
        "%s was %s from %s to %s", cluster, verb, ctx.plan.primary_node_id,
        ctx.plan.failover_target_id)
end

local function notify(ctx, conf)
    local text = summary(ctx)
    local sent, message, code = ctx.notify(conf.channel, {
        summary = text,
        severity = conf.severity,
        data = {
            run_id = ctx.run.run_id,
            plan_id = ctx.plan.plan_id,
            trigger = ctx.run.trigger,
            requested_by = ctx.run.requested_by,
            epoch = ctx.epoch,
        },
    })
    if not sent then
        return nil, string.format("not told on '%s': %s (%s)", conf.channel, message, code)
    end
    ctx.log("told on", conf.channel .. ":", text)
    return { channel = conf.channel, summary = text }
end

return { notify = notify }
