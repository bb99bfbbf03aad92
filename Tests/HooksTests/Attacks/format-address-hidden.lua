-- The same behind flags and width.
-- expect: error '%p' is not available
return {
    pre_check = function(ctx, conf)
        return { x = string.format('%-20p', print) }
    end,
}
