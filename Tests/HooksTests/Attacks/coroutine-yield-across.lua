-- A yield through a C function.
-- expect: error C-call boundary
return {
    pre_check = function(ctx, conf)
        coroutine.wrap(function() table.sort({ 2, 1 }, coroutine.yield) end)()
        return true
    end,
}
