-- Coroutines that start coroutines.
-- expect: limit memory|instructions
return {
    pre_check = function(ctx, conf)
        local function grow() local co = coroutine.create(grow); coroutine.resume(co); return co end
        local all = {}
        for i = 1, 1 << 30 do all[i] = coroutine.create(grow) end
        return true
    end,
}
