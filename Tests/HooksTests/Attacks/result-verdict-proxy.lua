-- A verdict that is only there through __index.
-- expect: error a policy must return
-- kind: policy
return {
    admit = function(ctx, conf)
        return setmetatable({}, { __index = { verdict = 'allow' } })
    end,
}
