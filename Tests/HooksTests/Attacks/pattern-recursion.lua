-- A pattern that recurses deeper than the C stack.
-- expect: error too complex
return {
    pre_check = function(ctx, conf)
        string.find(string.rep('a', 300000), string.rep('a?', 200000) .. 'b')
        return true
    end,
}
