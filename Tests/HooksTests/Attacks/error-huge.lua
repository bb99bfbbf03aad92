-- An error message that is too long for memory.
-- expect: limit memory
return {
    pre_check = function(ctx, conf)
        error(string.rep('x', 1 << 24))
    end,
}
