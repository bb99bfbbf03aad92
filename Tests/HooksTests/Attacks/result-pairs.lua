-- A hostile __pairs in a result is never called.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        return setmetatable({ a = 1 }, { __pairs = function() while true do end end })
    end,
}
