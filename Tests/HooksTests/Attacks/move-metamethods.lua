-- Table.move through metamethods that never end.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        local t = setmetatable({}, { __index = function() return 1 end, __newindex = function() end })
        table.move(t, 1, math.maxinteger - 1, 2)
        return true
    end,
}
