-- A to-be-closed variable that never closes.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        local x <close> = setmetatable({}, { __close = function() while true do end end })
        return true
    end,
}
