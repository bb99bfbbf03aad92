-- More captures than there is room for.
-- expect: error too many captures
return {
    pre_check = function(ctx, conf)
        return { string.find('x', string.rep('()', 40)) }
    end,
}
