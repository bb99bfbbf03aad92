-- An empty text, repeated without end and without memory.
-- expect: limit cpu
return {
    pre_check = function(ctx, conf)
        return { x = string.rep('', math.maxinteger) }
    end,
}
