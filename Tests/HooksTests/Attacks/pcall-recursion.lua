-- Pcall inside pcall without end.
-- expect: limit instructions|memory
return {
    pre_check = function(ctx, conf)
        local function f() pcall(f); pcall(f) end
        while true do f() end
    end,
}
