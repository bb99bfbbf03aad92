-- Keys that are large texts.
-- expect: limit memory
return {
    pre_check = function(ctx, conf)
        local t = {}
        for i = 1, 1000 do t[string.rep('k', 10000) .. i] = i end
        return t
    end,
}
