-- CONTROL: a business failure.
-- expect: failed too far
return {
    pre_check = function(ctx, conf)
        return nil, 'too far behind'
    end,
}
