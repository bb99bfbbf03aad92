-- The widest number there is; Lua 5.4 allows 99 digits.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        local s = string.format('%99.99f', -1.7976931348623157e308)
        assert(#s == 410)
        return { n = #s }
    end,
}
