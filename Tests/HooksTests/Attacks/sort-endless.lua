-- A comparison that never returns.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        table.sort({ 3, 2, 1 }, function() while true do end end)
        return true
    end,
}
