-- A hostile __tostring in a result is never called.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        return setmetatable({ a = 1 }, { __tostring = function() while true do end end })
    end,
}
