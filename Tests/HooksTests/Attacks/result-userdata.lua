-- A coroutine as a key.
-- expect: error
return {
    pre_check = function(ctx, conf)
        return { [coroutine.create(function() end)] = 1 }
    end,
}
