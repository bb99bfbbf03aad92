-- A log argument whose __tostring never returns.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        ctx.log(setmetatable({}, { __tostring = function() while true do end end }))
        return true
    end,
}
