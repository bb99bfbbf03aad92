-- Empty log lines without end.
-- expect: limit log
return {
    pre_check = function(ctx, conf)
        while true do ctx.log() end
    end,
}
