-- Scores from 0 to 100, by the place of a node's region in the order.

local function score(node, conf)
    for place, region in ipairs(conf.regions) do
        if node.region == region then
            return math.max(1, 100 - (place - 1) * conf.step)
        end
    end
    return 0
end

local function admit(ctx, conf)
    if ctx.run.kind == "restart" or not ctx.target then
        return { verdict = "abstain", reason = "nothing is moved" }
    end
    local scores, best = {}, nil
    for _, node in ipairs(ctx.cluster.nodes) do
        if node.role == "secondary" and node.status == "healthy" then
            scores[node.node_id] = score(node, conf)
            if not best or scores[node.node_id] > scores[best] then
                best = node.node_id
            end
        end
    end
    local target = ctx.target.node_id
    local own = score(ctx.target, conf)
    if own == 0 and conf.strict then
        return { verdict = "deny", scores = scores,
            reason = string.format("%s stands in region '%s', which is not named", target,
                ctx.target.region) }
    end
    if conf.margin > 0 and best and best ~= target and scores[best] - own >= conf.margin then
        return { verdict = "deny", scores = scores,
            reason = string.format("%s scores %d, %s %d", target, own, best, scores[best]) }
    end
    return { verdict = "allow", scores = scores, reason = string.format("%s scores %d", target, own) }
end

return { admit = admit }
