-- The same without a loop.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        ::again:: goto again
    end,
}
