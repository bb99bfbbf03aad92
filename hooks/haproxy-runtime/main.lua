-- Sets the states of the two servers at every HAProxy. Old first: clients rather wait than write to
-- the wrong node.

local function server_of(node, key)
    return node and node.metadata[key]
end

local function set(ctx, conf, address, server, state)
    local answer, message, code = ctx.haproxy.command(
        address, string.format("set server %s/%s state %s", conf.backend, server, state))
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
            local ok, message = set(ctx, conf, address, server, entry[2])
            if not ok then
                return nil, message
            end
        end
    end
    return true
end

return {
    demote = function(ctx, conf)
        return all(ctx, conf, { { ctx.primary, "maint" } })
    end,
    promote = function(ctx, conf)
        return all(ctx, conf, { { ctx.primary, "maint" }, { ctx.target, "ready" } })
    end,
    rollback = function(ctx, conf)
        return all(ctx, conf, { { ctx.target, "maint" }, { ctx.primary, "ready" } })
    end,
}
