-- A protected metatable cannot be replaced.
-- expect: error protected
return {
    pre_check = function(ctx, conf)
        local t = setmetatable({}, { __metatable = 'locked' })
        setmetatable(t, {})
        return true
    end,
}
