-- String itself can be changed, for this call alone.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        string.len = function() return 42 end
        assert(('x'):len() == 42)
        return { leak = leaked == nil }
    end,
}
