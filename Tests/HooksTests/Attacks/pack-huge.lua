-- String.pack with sizes that overflow.
-- expect: error
return {
    pre_check = function(ctx, conf)
        return { x = string.pack('s16', 'x') .. string.pack('!16 i17', 1) }
    end,
}
