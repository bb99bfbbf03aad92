-- The loader of C libraries.
-- expect: error nil value
return {
    pre_check = function(ctx, conf)
        package.loadlib('libc.so.6', 'system')
        return true
    end,
}
