-- An effect in a policy.
-- expect: error nil value
-- kind: policy
return {
    admit = function(ctx, conf)
        ctx.notify('c', { summary = 'x' })
        return { verdict = 'allow' }
    end,
}
