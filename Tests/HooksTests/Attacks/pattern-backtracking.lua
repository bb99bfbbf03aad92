-- One C call that backtracks for longer than the universe lasts.
-- expect: limit cpu
return {
    pre_check = function(ctx, conf)
        return { string.find(string.rep('a', 40), string.rep('a*', 20) .. 'b') }
    end,
}
