-- An error message of 128 KiB is cut.
-- expect: error xxx
return {
    pre_check = function(ctx, conf)
        error(string.rep('x', 1 << 17), 0)
    end,
}
