-- String.packsize beyond an int.
-- expect: error
return {
    pre_check = function(ctx, conf)
        return { string.packsize(string.rep('c2147483647', 3)) }
    end,
}
