-- A code point beyond the last.
-- expect: error value out of range
return {
    pre_check = function(ctx, conf)
        return { x = utf8.char(0x80000000) }
    end,
}
