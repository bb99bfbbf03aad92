-- Guards against losing writes: a target that is far behind must not become primary.

local function judge(verdict, reason)
    return { verdict = verdict, reason = reason }
end

-- How far the target's copy ends before the primary's, as far as both were ever heard.
local function lag_bytes(ctx)
    local primary = ctx.primary and ctx.primary.service
    local target = ctx.target.service
    if not (primary and primary.position_bytes and target and target.position_bytes) then
        return nil
    end
    return math.max(0, primary.position_bytes - target.position_bytes)
end

-- Reasons to deny, in a fixed order; and whether anything at all was known.
local function excesses(ctx, conf)
    local found, known = {}, false
    local lag_ms = ctx.target.service and ctx.target.service.lag_ms
    if lag_ms then
        known = true
        if lag_ms > conf.max_lag_ms then
            table.insert(found, string.format("lag %d ms exceeds %d ms", lag_ms, conf.max_lag_ms))
        end
    end
    if conf.max_lag_bytes then
        local bytes = lag_bytes(ctx)
        if bytes then
            known = true
            if bytes > conf.max_lag_bytes then
                table.insert(
                    found, string.format("lag %d bytes exceeds %d bytes", bytes, conf.max_lag_bytes))
            end
        end
    end
    return found, known
end

local function admit(ctx, conf)
    if conf.on_unknown ~= "deny" and conf.on_unknown ~= "abstain" then
        error("conf.on_unknown must be 'deny' or 'abstain'")
    end
    if ctx.run.kind == "restart" then
        return judge("abstain", "a restart moves nothing")
    end
    -- A person who requests a failover may know that the rest of the data is lost anyway. A
    -- switchover is judged always: its primary is well, so waiting costs nothing.
    if ctx.run.kind == "failover" and ctx.run.trigger == "requested" and not conf.guard_requested then
        return judge("abstain", "the failover was requested by " .. ctx.run.requested_by)
    end
    if not ctx.target then
        return judge("abstain", "the plan names no target")
    end
    local found, known = excesses(ctx, conf)
    local name = ctx.target.node_id
    if #found > 0 then
        return judge("deny", name .. ": " .. table.concat(found, ", "))
    end
    if not known then
        return judge(conf.on_unknown, name .. ": its replication lag is not known")
    end
    return judge("allow", name .. ": its replication lag is within bounds")
end

return { admit = admit }
