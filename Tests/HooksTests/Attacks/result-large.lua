-- A result larger than its budget.
-- expect: limit output
return {
    pre_check = function(ctx, conf)
        return { x = string.rep('x', 100000) }
    end,
}
