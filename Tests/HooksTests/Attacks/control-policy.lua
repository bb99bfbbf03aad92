-- CONTROL: an ordinary policy.
-- expect: ok
-- kind: policy
return {
    admit = function(ctx, conf)
        local worst = 0
        for _, node in ipairs({ { lag = 3 }, { lag = 9 } }) do worst = math.max(worst, node.lag) end
        return { verdict = worst < 10 and 'allow' or 'deny', reason = string.format('lag %d', worst) }
    end,
}
