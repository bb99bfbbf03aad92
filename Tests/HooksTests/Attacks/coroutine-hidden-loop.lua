-- An endless loop in a coroutine, in a coroutine.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        coroutine.wrap(function() coroutine.wrap(function() while true do end end)() end)()
        return true
    end,
}
