-- A result that contains itself.
-- expect: error contains itself
return {
    pre_check = function(ctx, conf)
        local t = {}
        t.t = t
        return t
    end,
}
