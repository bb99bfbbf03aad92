-- Before the stop: what PostgreSQL would else do while nobody can write.

local function inspect(ctx, name)
    local node_id = ctx.primary.node_id
    local answer, message, code = ctx.agent.read(node_id, name or "pg-inspect")
    if not answer or type(answer.json) ~= "table" then
        return nil, string.format("%s: %s (%s)", node_id, message or "no JSON", code or "failed")
    end
    return answer.json
end

local function command(ctx, name, timeout_ms)
    local answer, message = ctx.agent.command(ctx.primary.node_id, name, { timeout_ms = timeout_ms })
    if not answer then
        return nil, message
    end
    return true
end

-- Reads again until a count is 0 or the time is over. Gives the last state.
local function await(ctx, field, wait_ms)
    local until_ms = ctx.now() + wait_ms
    local state, message = inspect(ctx)
    while state and state[field] > 0 and ctx.now() < until_ms do
        state, message = inspect(ctx, "pg-inspect-later")
    end
    return state, message
end

local function archive(ctx, conf)
    local ok, message = command(ctx, "pg-switch-wal", 5000)
    if not ok then
        return nil, message
    end
    local state
    state, message = await(ctx, "archive_waiting", conf.archive_wait_ms)
    if not state then
        return nil, message
    end
    if state.archive_waiting > 0 then
        local text = string.format("%d WAL files of %s are not archived yet%s", state.archive_waiting,
            ctx.primary.node_id, state.archive_failing and ", and its archiver fails" or "")
        if conf.require_archived then
            return nil, text
        end
        ctx.log(text)
    end
    return true
end

local function demote(ctx, conf)
    if ctx.run.kind ~= "switchover" then
        ctx.log("a " .. ctx.run.kind .. " hands nothing over")
        return true
    end
    local primary = ctx.primary.node_id
    local state, message = inspect(ctx)
    if not state then
        return nil, message
    end
    if state.in_recovery then
        return nil, primary .. " is no primary"
    end
    if state.streaming == 0 then
        return nil, "nobody streams from " .. primary .. ": its last changes would stay behind"
    end
    local ok
    if conf.checkpoint then
        ok, message = command(ctx, "prepare", 30000)
        if not ok then
            return nil, message
        end
    end
    if state.archiving then
        ok, message = archive(ctx, conf)
        if not ok then
            return nil, message
        end
    end
    state, message = await(ctx, "transactions", conf.drain_ms)
    if not state then
        return nil, message
    end
    if state.transactions > 0 and conf.require_drained then
        return nil, string.format("%d transactions are open on %s", state.transactions, primary)
    end
    return { transactions = state.transactions, archive_waiting = state.archive_waiting }
end

return { demote = demote }
