-- A replacement function that never returns.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        string.gsub('x', 'x', function() while true do end end)
        return true
    end,
}
