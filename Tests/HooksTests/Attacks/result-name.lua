-- A hostile __name is not used either.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        local t = setmetatable({}, { __name = string.rep('x', 100000) })
        ctx.log(t)
        return { t = tostring(t) }
    end,
}
