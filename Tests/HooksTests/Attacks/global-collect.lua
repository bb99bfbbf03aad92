-- Control over the collector.
-- expect: error nil value
return {
    pre_check = function(ctx, conf)
        collectgarbage('stop')
        return true
    end,
}
