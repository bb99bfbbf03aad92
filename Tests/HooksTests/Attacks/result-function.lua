-- A function.
-- expect: error no data
return {
    pre_check = function(ctx, conf)
        return { f = function() end }
    end,
}
