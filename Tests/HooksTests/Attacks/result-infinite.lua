-- Infinite.
-- expect: error whole number
return {
    pre_check = function(ctx, conf)
        return { x = math.huge }
    end,
}
