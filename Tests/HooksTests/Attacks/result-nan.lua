-- Not a number.
-- expect: error whole number
return {
    pre_check = function(ctx, conf)
        return { x = 0 / 0 }
    end,
}
