-- A failure message whose __tostring never returns.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        return nil, setmetatable({}, { __tostring = function() while true do end end })
    end,
}
