local function admit(ctx, conf)
    if conf.on_unknown ~= "deny" and conf.on_unknown ~= "abstain" then
        error("conf.on_unknown must be 'deny' or 'abstain'")
    end
    if ctx.run.kind ~= "switchover" then
        return { verdict = "abstain", reason = "an outage spends the budget anyway" }
    end
    local left = tonumber(ctx.primary and ctx.primary.metadata[conf.metadata_key])
    if not left then
        return { verdict = conf.on_unknown, reason = "what is left of the error budget is not known" }
    end
    if left < conf.min_permille then
        return { verdict = "deny", reason = string.format(
            "%d permille of the error budget are left, less than %d", left, conf.min_permille) }
    end
    return { verdict = "allow", reason = string.format("%d permille of the error budget are left", left) }
end

return { admit = admit }
