-- More conversions than arguments.
-- expect: error no value
return {
    pre_check = function(ctx, conf)
        return { x = string.format(string.rep('%s', 1000), 1) }
    end,
}
