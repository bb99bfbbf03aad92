-- A list that claims to be longer than can be.
-- expect: error too long
return {
    pre_check = function(ctx, conf)
        table.sort(setmetatable({}, { __len = function() return math.maxinteger end }))
        return true
    end,
}
