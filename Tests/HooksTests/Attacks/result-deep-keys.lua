-- The same with long names on the way, for the message.
-- expect: error nested too deep
return {
    pre_check = function(ctx, conf)
        local t = {}
        for i = 1, 200 do t = { [string.rep('k', 200)] = t } end
        return t
    end,
}
