-- A number where a verdict should be.
-- expect: error must return
return {
    pre_check = function(ctx, conf)
        return 1, 2, 3
    end,
}
