-- Another metatable for all texts.
-- expect: error
return {
    pre_check = function(ctx, conf)
        setmetatable('x', { __index = {} })
        return true
    end,
}
