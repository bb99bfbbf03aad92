-- An environment of its own changes nothing for anyone else.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        local _ENV = { }
        x = 1
        return { x = x }
    end,
}
