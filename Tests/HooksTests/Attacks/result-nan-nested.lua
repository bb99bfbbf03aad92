-- Negative infinite, deep inside.
-- expect: error whole number
return {
    pre_check = function(ctx, conf)
        return { a = { b = { -math.huge } } }
    end,
}
