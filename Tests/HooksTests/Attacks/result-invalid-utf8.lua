-- Bytes that are no text.
-- expect: error not UTF-8
return {
    pre_check = function(ctx, conf)
        return { x = '\xff\xfe' }
    end,
}
