-- A range that overflows.
-- expect: error too many results
return {
    pre_check = function(ctx, conf)
        return { table.unpack({}, math.mininteger, math.maxinteger) }
    end,
}
