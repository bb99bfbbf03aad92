-- Table.concat of more than there is memory for.
-- expect: limit memory
return {
    pre_check = function(ctx, conf)
        local t = {}
        for i = 1, 1000 do t[i] = string.rep('x', 1000) end
        for i = 1, 20 do t[i] = table.concat(t) end
        return true
    end,
}
