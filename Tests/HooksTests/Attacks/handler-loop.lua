-- An error handler that never returns.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        xpcall(error, function() while true do end end)
        return true
    end,
}
