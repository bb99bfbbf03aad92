-- A hostile __len in a result is never called.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        return setmetatable({ 1, 2 }, { __len = function() while true do end end })
    end,
}
