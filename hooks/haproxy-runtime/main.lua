-- Sets the states of the two servers at every HAProxy. Old first: clients rather wait than write to
-- the wrong node. At dns_flip it sets the weights of an active/active cluster.

local function server_of(node, key)
    return node and node.metadata[key]
end

local function tell(ctx, conf, address, server, what)
    local answer, message, code = ctx.haproxy.command(
        address, string.format("set server %s/%s %s", conf.backend, server, what))
    if not answer then
        return nil, string.format("%s at %s: %s (%s)", server, address, message, code)
    end
    if answer:find("%S") then
        return nil, string.format("%s at %s: %s", server, address, answer:gsub("%s+$", ""))
    end
    return true
end

local function all(ctx, conf, states)
    for _, entry in ipairs(states) do
        local server = server_of(entry[1], conf.metadata_key)
        if not server then
            return nil, string.format("%s has no metadata '%s'", entry[1].node_id, conf.metadata_key)
        end
        for _, address in ipairs(conf.addresses) do
            local ok, message = tell(ctx, conf, address, server, "state " .. entry[2])
            if not ok then
                return nil, message
            end
        end
    end
    return true
end

-- HAProxy's weights go from 0 to 256. A node that has any keeps at least 1.
local WEIGHT_MAX = 256

local function shift(ctx, conf)
    local weights = ctx.plan.weights
    if not weights then
        return true
    end
    local most = 0
    for _, share in ipairs(weights) do
        most = math.max(most, share.weight)
    end
    local nodes = {}
    for _, node in ipairs(ctx.cluster.nodes) do
        nodes[node.node_id] = node
    end
    for _, share in ipairs(weights) do
        local server = server_of(nodes[share.node_id], conf.metadata_key)
        if not server then
            return nil, string.format("%s has no metadata '%s'", share.node_id, conf.metadata_key)
        end
        local weight = share.weight
        if most > WEIGHT_MAX and weight > 0 then
            weight = math.max(1, weight * WEIGHT_MAX // most)
        end
        for _, address in ipairs(conf.addresses) do
            local ok, message = tell(ctx, conf, address, server, "weight " .. weight)
            if not ok then
                return nil, message
            end
        end
    end
    return { weights = weights }
end

return {
    demote = function(ctx, conf)
        return all(ctx, conf, { { ctx.primary, "maint" } })
    end,
    promote = function(ctx, conf)
        local states = { { ctx.primary, "maint" }, { ctx.target, "ready" } }
        -- After a change that was missed another node's server may still be ready.
        for _, node in ipairs(ctx.cluster.nodes) do
            local is_other = node.node_id ~= ctx.primary.node_id
                and node.node_id ~= ctx.target.node_id
            if is_other and node.capacity > 0 and server_of(node, conf.metadata_key) then
                table.insert(states, { node, "maint" })
            end
        end
        return all(ctx, conf, states)
    end,
    dns_flip = shift,
    rollback = function(ctx, conf)
        return all(ctx, conf, { { ctx.target, "maint" }, { ctx.primary, "ready" } })
    end,
}
