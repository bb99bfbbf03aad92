-- The same in the arguments of a call.
-- expect: error same text
return {
    pre_check = function(ctx, conf)
        local data = { inner = { ['\xc3\xa9'] = 1, ['e\xcc\x81'] = 2 } }
        pcall(ctx.notify, 'c', { summary = 'x', data = data })
        return true
    end,
}
