-- Through the method of a text.
-- expect: limit memory
return {
    pre_check = function(ctx, conf)
        return { x = ('x'):rep(1 << 30) }
    end,
}
