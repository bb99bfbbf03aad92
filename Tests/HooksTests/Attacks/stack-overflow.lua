-- Recursion without end.
-- expect: limit memory
return {
    pre_check = function(ctx, conf)
        local function f() return 1 + f() end
        return { f() }
    end,
}
