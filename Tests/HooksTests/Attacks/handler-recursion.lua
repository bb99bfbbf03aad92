-- An error handler that raises: Lua gives up, the script goes on.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        local fine = xpcall(error, function() error('again') end)
        assert(not fine)
        return true
    end,
}
