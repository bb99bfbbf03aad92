-- A result that contains itself as a list.
-- expect: error contains itself
return {
    pre_check = function(ctx, conf)
        local t = {}
        t[1] = t
        return t
    end,
}
