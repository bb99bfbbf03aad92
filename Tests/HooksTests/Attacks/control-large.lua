-- CONTROL: as much as the budgets allow.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        local t = {}
        for i = 1, 10000 do t[i] = i end
        return { n = #t, text = string.rep('x', 10000) }
    end,
}
