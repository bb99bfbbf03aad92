-- The same, caught and tried again.
-- expect: limit memory
return {
    pre_check = function(ctx, conf)
        local function f() return 1 + f() end
        while true do pcall(f) end
    end,
}
