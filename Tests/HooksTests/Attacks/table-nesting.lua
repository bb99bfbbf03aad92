-- A chain of tables without end.
-- expect: limit memory
return {
    pre_check = function(ctx, conf)
        local t = {}
        while true do t = { t } end
    end,
}
