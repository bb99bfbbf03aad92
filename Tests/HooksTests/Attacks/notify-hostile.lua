-- A message whose __index never ends: encoding is raw, so it never runs, and the calls are counted.
-- expect: limit host_calls
return {
    pre_check = function(ctx, conf)
        while true do pcall(ctx.notify, 'c', setmetatable({}, { __index = function() while true do end end })); pcall(ctx.notify) end
    end,
}
