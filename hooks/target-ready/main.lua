-- Vetoes a target that could not take over. Each rule gives its own message.

local function pre_check(ctx, conf)
    local target = ctx.target
    if ctx.run.kind == "restart" then
        return true
    end
    if not target then
        return nil, "the plan names no target"
    end
    local name = target.node_id
    if target.role == "witness" then
        return nil, name .. " is a witness and holds no data"
    end
    if not target.heard_ms_ago then
        return nil, name .. " was never heard"
    end
    if target.heard_ms_ago > conf.max_silence_ms then
        return nil, string.format(
            "%s was last heard %d ms ago, at most %d ms are allowed",
            name, target.heard_ms_ago, conf.max_silence_ms)
    end
    local service = target.service
    if not service then
        return nil, name .. " reports no service"
    end
    if service.state ~= "running" then
        return nil, name .. ": its service is " .. service.state
    end
    if service.role ~= "secondary" then
        return nil, name .. ": its service says that it is " .. service.role
    end
    if service.streaming then
        return true
    end
    -- In a switchover the primary is well, so a target that receives nothing is itself at fault.
    if ctx.run.kind == "switchover" then
        return nil, name .. " does not receive changes from the primary"
    end
    if service.lag_ms and service.lag_ms > conf.max_lag_ms then
        return nil, string.format(
            "%s is %d ms behind and receives nothing, at most %d ms are allowed",
            name, service.lag_ms, conf.max_lag_ms)
    end
    ctx.log(name, "receives no changes at the moment, as is usual when the primary is lost")
    return true
end

return { pre_check = pre_check }
