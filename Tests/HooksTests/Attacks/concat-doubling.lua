-- A text that doubles.
-- expect: limit memory
return {
    pre_check = function(ctx, conf)
        local s = 'x'
        while true do s = s .. s end
    end,
}
