-- Reads the services anew through their agents, instead of trusting reports that may be old.

local function read(ctx, node)
    local answer, message, code = ctx.agent.command(node.node_id, "status")
    if not answer or not answer.service then
        return nil, string.format("%s: %s (%s)", node.node_id, message or "no service", code or "failed")
    end
    return answer.service
end

local function is_primary(service)
    return service and service.state == "running" and service.role == "primary"
end

-- Before a demotion: the target holds what the primary has, but for what is on its way.
local function demote(ctx, conf)
    local target, message = read(ctx, ctx.target)
    if not target then
        return nil, message
    end
    if target.role ~= "secondary" then
        return nil, ctx.target.node_id .. " is no secondary: " .. tostring(target.role)
    end
    local primary = read(ctx, ctx.primary)
    if primary and primary.position_bytes and target.position_bytes then
        local behind = primary.position_bytes - target.position_bytes
        if behind > conf.max_lag_bytes then
            return nil, string.format("%s ends %d bytes before the primary", ctx.target.node_id, behind)
        end
    end
    return true
end

-- Afterwards: exactly one node says that it is primary, and it is the target.
local function one_primary(ctx)
    local service, message = read(ctx, ctx.target)
    if not service then
        return nil, message
    end
    if not is_primary(service) then
        return nil, ctx.target.node_id .. " does not say that it is primary"
    end
    local others = {}
    for _, node in ipairs(ctx.cluster.nodes) do
        if node.node_id ~= ctx.target.node_id and node.role ~= "witness" then
            -- A node that does not answer was fenced or its lease has run out: the run has seen to it.
            others[node.node_id] = read(ctx, node)
            if is_primary(others[node.node_id]) then
                return nil, node.node_id .. " says that it is primary as well"
            end
        end
    end
    return others
end

local function verify(ctx, conf)
    local others, message = one_primary(ctx)
    if not others then
        return nil, message
    end
    if conf.require_streaming then
        for name, service in pairs(others) do
            if service.state == "running" and not service.streaming then
                return nil, name .. " does not stream from the new primary"
            end
        end
    end
    return true
end

return {
    demote = demote,
    promote = function(ctx)
        local others, message = one_primary(ctx)
        if not others then
            return nil, message
        end
        return true
    end,
    verify = verify,
}
