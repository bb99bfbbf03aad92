-- CONTROL: a granted call.
-- expect: ok
-- grant: c
return {
    pre_check = function(ctx, conf)
        assert(ctx.notify('c', { summary = 'hello', severity = 'info', data = { n = 1 } }))
        return true
    end,
}
