-- A width that would overflow the buffer.
-- expect: error invalid conversion
return {
    pre_check = function(ctx, conf)
        return { x = string.format('%1000d', 1) }
    end,
}
