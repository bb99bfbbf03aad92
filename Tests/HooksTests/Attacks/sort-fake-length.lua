-- A list that claims to be long.
-- expect: limit memory|cpu
return {
    pre_check = function(ctx, conf)
        table.sort(setmetatable({}, { __len = function() return 1 << 24 end, __index = function() return 1 end }))
        return true
    end,
}
