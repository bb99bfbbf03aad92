-- An address, for finding the way around in memory.
-- expect: error '%p' is not available
return {
    pre_check = function(ctx, conf)
        return { x = string.format('%p', {}) }
    end,
}
