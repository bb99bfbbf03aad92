-- A weak table: Lua 5.4.4 crashes on these when memory runs out.
-- expect: error '__mode'
return {
    pre_check = function(ctx, conf)
        local t = setmetatable({}, { __mode = 'k' })
        for i = 1, 1 << 30 do t[{}] = {} end
        return true
    end,
}
