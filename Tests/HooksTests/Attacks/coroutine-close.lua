-- Coroutine.close, which crashes Lua 5.4.4 when nested.
-- expect: error
return {
    pre_check = function(ctx, conf)
        coroutine.close(coroutine.create(function() end))
        return true
    end,
}
