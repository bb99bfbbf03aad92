-- The same on the way out of an error.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        pcall(function()
            local x <close> = setmetatable({}, { __close = function() while true do end end })
            error('out')
        end)
        return true
    end,
}
