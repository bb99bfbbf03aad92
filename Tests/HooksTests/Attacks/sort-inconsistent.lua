-- A comparison that contradicts itself: sorted somehow, and nothing worse.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        local t = {}
        for i = 1, 5000 do t[i] = i end
        table.sort(t, function() return true end)
        return { n = #t }
    end,
}
