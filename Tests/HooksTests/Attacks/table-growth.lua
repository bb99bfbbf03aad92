-- A list without end.
-- expect: limit memory
return {
    pre_check = function(ctx, conf)
        local t = {}
        for i = 1, 1 << 30 do t[i] = i end
        return true
    end,
}
