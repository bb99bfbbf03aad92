-- What PostgreSQL itself says of the target, before and after its promotion.

local function inspect(ctx, node_id, name)
    local answer, message, code = ctx.agent.read(node_id, name or "pg-inspect")
    if not answer or type(answer.json) ~= "table" then
        return nil, string.format("%s: %s (%s)", node_id, message or "no JSON", code or "failed")
    end
    return answer.json
end

-- Waits until little of what was received is left to replay.
local function replayed(ctx, conf, state)
    local target = ctx.target.node_id
    local until_ms = ctx.now() + conf.wait_ms
    while state.receive_bytes - state.replay_bytes > conf.max_replay_bytes do
        if ctx.now() >= until_ms then
            return nil, string.format("%s still has %d bytes of WAL to replay", target,
                state.receive_bytes - state.replay_bytes)
        end
        local message
        state, message = inspect(ctx, target, "pg-inspect-later")
        if not state then
            return nil, message
        end
    end
    return true
end

-- Against every other node that answers: nobody is ahead on a later timeline, and from a primary
-- that lives the target does receive.
local function fits(ctx, state)
    local target = ctx.target.node_id
    for _, node in ipairs(ctx.cluster.nodes) do
        local other
        if node.node_id ~= target and node.role ~= "witness" then
            other = inspect(ctx, node.node_id)
        end
        if other and other.timeline > state.timeline then
            return nil, string.format("%s stands on timeline %d, %s on %d already", target,
                state.timeline, node.node_id, other.timeline)
        end
        if other and not other.in_recovery and state.receiver ~= "streaming"
            and other.flush_bytes > state.receive_bytes then
            return nil, string.format("%s does not receive from %s, and lacks %d bytes of its WAL", target,
                node.node_id, other.flush_bytes - state.receive_bytes)
        end
    end
    return true
end

local function pre_check(ctx, conf)
    if ctx.run.kind == "restart" then
        return true
    end
    local target = ctx.target.node_id
    local state, message = inspect(ctx, target)
    if not state then
        return nil, message
    end
    if not state.in_recovery then
        return nil, target .. " is no standby"
    end
    if state.replay_paused then
        return nil, target .. " has its replay paused: a promotion would never end"
    end
    if not state.receive_bytes or not state.replay_bytes then
        return nil, target .. " has replayed nothing yet"
    end
    local ok
    ok, message = replayed(ctx, conf, state)
    if not ok then
        return nil, message
    end
    return fits(ctx, state)
end

local function promote(ctx)
    if ctx.drill then
        -- A reading shows PostgreSQL as it is, and in a drill nothing was promoted.
        ctx.log("a drill promotes nothing: there is nothing to look at")
        return true
    end
    local target = ctx.target.node_id
    local state, message = inspect(ctx, target)
    if not state then
        return nil, message
    end
    if state.in_recovery or state.read_only then
        return nil, target .. " does not accept writes"
    end
    for _, node in ipairs(ctx.cluster.nodes) do
        local other
        if node.node_id ~= target and node.role ~= "witness" then
            -- One that does not answer was fenced, or its lease has run out: the run has seen to it.
            other = inspect(ctx, node.node_id)
        end
        if other and not other.in_recovery then
            return nil, node.node_id .. " is a primary as well"
        end
        if other and other.timeline > state.timeline then
            return nil, string.format("%s is on timeline %d, later than %d of %s", node.node_id,
                other.timeline, state.timeline, target)
        end
    end
    return { timeline = state.timeline }
end

return { pre_check = pre_check, promote = promote }
