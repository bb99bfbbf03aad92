-- More results than the stack holds.
-- expect: error too many results
return {
    pre_check = function(ctx, conf)
        return { table.unpack({}, 1, 1e8) }
    end,
}
