-- A loop whose step is lost in rounding.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        for i = 1.0, 2.0, 1e-17 do end
        return true
    end,
}
