-- The debug library, which reaches everything.
-- expect: error nil value
return {
    pre_check = function(ctx, conf)
        debug.getregistry()
        return true
    end,
}
