-- A message that contains itself.
-- expect: error contains itself
-- grant: c
return {
    pre_check = function(ctx, conf)
        local m = { summary = 'x' }
        m.data = m
        ctx.notify('c', m)
        return true
    end,
}
