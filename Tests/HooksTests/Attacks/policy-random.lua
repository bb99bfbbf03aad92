-- Chance in a policy.
-- expect: error nil value
-- kind: policy
return {
    admit = function(ctx, conf)
        return { verdict = math.random() > 0.5 and 'allow' or 'deny', reason = 'x' }
    end,
}
