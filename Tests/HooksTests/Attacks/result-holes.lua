-- A list with a hole.
-- expect: error keys
return {
    pre_check = function(ctx, conf)
        return { 1, nil, 3, [10] = 4 }
    end,
}
