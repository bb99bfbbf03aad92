-- A message larger than its budget.
-- expect: limit output
-- grant: c
return {
    pre_check = function(ctx, conf)
        pcall(ctx.notify, 'c', { summary = string.rep('x', 100000) })
        return true
    end,
}
