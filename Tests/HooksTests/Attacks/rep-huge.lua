-- A text of a gibibyte.
-- expect: limit memory
return {
    pre_check = function(ctx, conf)
        return { x = string.rep('x', 1 << 30) }
    end,
}
