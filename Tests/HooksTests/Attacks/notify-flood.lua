-- Host calls without end.
-- expect: limit host_calls
-- grant: c
return {
    pre_check = function(ctx, conf)
        while true do ctx.notify('c', { summary = 'x' }) end
    end,
}
