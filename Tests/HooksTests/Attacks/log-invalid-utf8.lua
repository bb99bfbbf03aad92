-- Bytes that are no text are replaced.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        ctx.log('\xff\0\xfe')
        return true
    end,
}
