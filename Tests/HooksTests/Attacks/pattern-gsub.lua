-- The same through gsub, inside pcall.
-- expect: limit cpu
return {
    pre_check = function(ctx, conf)
        pcall(string.gsub, string.rep('a', 40), string.rep('a*', 20) .. 'b', '')
        return true
    end,
}
