-- Half of a surrogate pair.
-- expect: error not UTF-8
return {
    pre_check = function(ctx, conf)
        return { x = '\xed\xa0\x80' }
    end,
}
