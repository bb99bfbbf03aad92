-- Bytes that are no text, as a key.
-- expect: error not UTF-8
return {
    pre_check = function(ctx, conf)
        return { ['\xc0\x80'] = 1 }
    end,
}
