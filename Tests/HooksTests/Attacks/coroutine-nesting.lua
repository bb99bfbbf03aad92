-- A coroutine inside a coroutine, as deep as the C stack: an error that is caught.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        local depth = 0
        local function deeper()
            depth = depth + 1
            local fine, message = coroutine.resume(coroutine.create(deeper))
            return message
        end
        deeper()
        assert(depth > 100)
        return true
    end,
}
