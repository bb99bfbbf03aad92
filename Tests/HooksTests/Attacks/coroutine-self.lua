-- A coroutine that resumes itself.
-- expect: failed cannot resume
return {
    pre_check = function(ctx, conf)
        local co
        co = coroutine.create(function() return coroutine.resume(co) end)
        local _, fine, message = coroutine.resume(co)
        if not fine then return nil, message end
        return true
    end,
}
