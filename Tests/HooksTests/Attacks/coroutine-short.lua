-- Coroutines each shorter than a step of the counter.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        while true do coroutine.wrap(function() for i = 1, 300 do end end)() end
    end,
}
