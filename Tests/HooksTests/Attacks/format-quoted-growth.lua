-- %q of a text that doubles.
-- expect: limit memory
return {
    pre_check = function(ctx, conf)
        local s = '\0'
        while true do s = string.format('%q', s .. s) end
    end,
}
