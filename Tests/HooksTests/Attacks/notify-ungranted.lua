-- A channel that nobody granted.
-- expect: denied
return {
    pre_check = function(ctx, conf)
        local fine, message, code = ctx.notify('secret', { summary = 'x' })
        return nil, message
    end,
}
