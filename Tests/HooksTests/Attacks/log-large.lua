-- One line larger than the budget.
-- expect: limit log
return {
    pre_check = function(ctx, conf)
        ctx.log(string.rep('x', 100000))
        return true
    end,
}
