-- More results than the stack holds.
-- expect: error string slice too long
return {
    pre_check = function(ctx, conf)
        return { string.byte(string.rep('x', 2000000), 1, -1) }
    end,
}
