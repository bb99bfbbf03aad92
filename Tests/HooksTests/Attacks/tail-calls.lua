-- Calls that need no stack.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        local function f() return f() end
        return f()
    end,
}
