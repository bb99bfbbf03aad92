-- The same through gmatch.
-- expect: limit cpu
return {
    pre_check = function(ctx, conf)
        for _ in string.gmatch(string.rep('a', 40), string.rep('a-', 20) .. 'b') do end
        return true
    end,
}
