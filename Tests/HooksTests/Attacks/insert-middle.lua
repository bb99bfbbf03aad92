-- Inserting at the front of a long list, again and again.
-- expect: limit cpu
-- budgets: memory_bytes: 16777216, instructions: 100000000
return {
    pre_check = function(ctx, conf)
        local t = {}
        for i = 1, 20000 do t[i] = i end
        for i = 1, 100000 do table.insert(t, 1, i) end
        return true
    end,
}
