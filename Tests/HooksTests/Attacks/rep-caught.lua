-- The same, caught.
-- expect: limit memory
return {
    pre_check = function(ctx, conf)
        pcall(string.rep, 'x', 1 << 30)
        return true
    end,
}
