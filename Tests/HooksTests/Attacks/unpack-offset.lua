-- String.unpack outside of its text.
-- expect: error
return {
    pre_check = function(ctx, conf)
        return { string.unpack('s8', '\255\255\255\255\255\255\255\127') }
    end,
}
