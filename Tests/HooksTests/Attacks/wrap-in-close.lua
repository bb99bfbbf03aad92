-- To-be-closed variables that start coroutines that have such variables.
-- expect: limit instructions|memory
return {
    pre_check = function(ctx, conf)
        local function storm()
            local x <close> = setmetatable({}, { __close = function() coroutine.wrap(storm)() end })
            error('again')
        end
        while true do pcall(storm) end
    end,
}
