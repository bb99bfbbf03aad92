-- Code from files.
-- expect: error nil value
return {
    pre_check = function(ctx, conf)
        dofile('/etc/passwd')
        return true
    end,
}
