-- A yield outside of any coroutine.
-- expect: error outside a coroutine
return {
    pre_check = function(ctx, conf)
        coroutine.yield()
        return true
    end,
}
