-- The metatable of all texts, to poison it.
-- expect: error
return {
    pre_check = function(ctx, conf)
        getmetatable('').__index = {}
        return true
    end,
}
