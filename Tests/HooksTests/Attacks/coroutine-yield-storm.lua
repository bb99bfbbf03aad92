-- Yields without end.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        local f = coroutine.wrap(function() while true do coroutine.yield() end end)
        while true do f() end
    end,
}
