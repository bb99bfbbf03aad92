-- A result nested deeper than can be read.
-- expect: error nested too deep
return {
    pre_check = function(ctx, conf)
        local t = {}
        for i = 1, 1000 do t = { t } end
        return t
    end,
}
