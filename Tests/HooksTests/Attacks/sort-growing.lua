-- A comparison that changes the list that is sorted.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        local t = { 5, 4, 3, 2, 1 }
        local n = 0
        table.sort(t, function(x, y) n = n + 1; t[n] = nil; return (x or 0) < (y or 0) end)
        return true
    end,
}
