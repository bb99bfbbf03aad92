-- Processes.
-- expect: error nil value
return {
    pre_check = function(ctx, conf)
        os.execute('true')
        return true
    end,
}
