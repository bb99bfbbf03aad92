-- Code from text.
-- expect: error nil value
return {
    pre_check = function(ctx, conf)
        load('return 1')()
        return true
    end,
}
