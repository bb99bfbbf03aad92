-- A length that overflows.
-- expect: error too large
return {
    pre_check = function(ctx, conf)
        return { x = string.rep('xx', math.maxinteger) }
    end,
}
