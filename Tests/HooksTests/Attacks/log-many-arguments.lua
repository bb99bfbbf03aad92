-- As many arguments as the stack holds.
-- expect: limit memory|log|instructions|cpu
return {
    pre_check = function(ctx, conf)
        local t = {}
        for i = 1, 200000 do t[i] = 'x' end
        ctx.log(table.unpack(t))
        return true
    end,
}
