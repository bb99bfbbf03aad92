-- Iteration order of a policy by address.
-- expect: error no order
-- kind: policy
return {
    admit = function(ctx, conf)
        for k in pairs({ [{}] = 1, [{}] = 2 }) do end
        return { verdict = 'allow' }
    end,
}
