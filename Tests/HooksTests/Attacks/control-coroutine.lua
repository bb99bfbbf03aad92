-- CONTROL: a generator, pcall and a closed variable.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        local closed = false
        local sum = 0
        for n in coroutine.wrap(function() for i = 1, 10 do coroutine.yield(i) end end) do sum = sum + n end
        do local x <close> = setmetatable({}, { __close = function() closed = true end }) end
        local fine = pcall(error, 'x')
        assert(sum == 55 and closed and not fine)
        return { sum = sum }
    end,
}
