-- A finalizer, which would run outside the counter.
-- expect: error '__gc'
return {
    pre_check = function(ctx, conf)
        setmetatable({}, { __gc = function() while true do end end })
        return true
    end,
}
