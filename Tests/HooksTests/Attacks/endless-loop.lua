-- The simplest of all.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        while true do end
    end,
}
