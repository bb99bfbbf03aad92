-- %b over a long text, quadratic.
-- expect: limit cpu
return {
    pre_check = function(ctx, conf)
        local s = string.rep('(', 600000)
        for i = 1, 1000 do string.find(s, '%b()') end
        return true
    end,
}
