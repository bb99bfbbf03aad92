-- A replacement that doubles the text.
-- expect: limit memory
return {
    pre_check = function(ctx, conf)
        local s = 'aaaaaaaa'
        while true do s = s:gsub('a', 'aa') end
    end,
}
