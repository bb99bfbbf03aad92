-- Errors, caught without end.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        while true do pcall(error, 'x') end
    end,
}
