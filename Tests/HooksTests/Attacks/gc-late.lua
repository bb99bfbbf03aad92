-- A finalizer that is added to a metatable later is never called.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        local meta = {}
        setmetatable({}, meta)
        meta.__gc = function() while true do end end
        for i = 1, 100000 do local t = {} end
        return true
    end,
}
