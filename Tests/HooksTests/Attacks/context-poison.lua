-- The context can be changed, for this call alone.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        ctx.log = nil
        ctx.notify = nil
        for k in pairs(ctx) do ctx[k] = nil end
        return { x = 1 }
    end,
}
