local function admit(ctx, conf)
    if ctx.run.kind == "restart" or not ctx.target then
        return { verdict = "abstain", reason = "nothing is moved" }
    end
    local target = ctx.target
    if target.capacity < conf.min_target then
        return { verdict = "deny", reason = string.format(
            "%s has capacity %d, less than %d", target.node_id, target.capacity, conf.min_target) }
    end
    local total = 0
    for _, node in ipairs(ctx.cluster.nodes) do
        -- A switchover keeps the old primary, as a secondary.
        if node.role ~= "witness" and node.status == "healthy" then
            total = total + node.capacity
        end
    end
    if total < conf.min_total then
        return { verdict = "deny", reason = string.format(
            "the healthy nodes have capacity %d, less than %d", total, conf.min_total) }
    end
    return { verdict = "allow", reason = string.format("capacity %d of %d", target.capacity, total) }
end

return { admit = admit }
