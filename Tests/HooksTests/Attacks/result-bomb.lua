-- Small in Lua, exponential as JSON.
-- expect: limit output
return {
    pre_check = function(ctx, conf)
        local t = {}
        for i = 1, 28 do t = { t, t } end
        return t
    end,
}
