-- Table.move over all integers.
-- expect: limit cpu
return {
    pre_check = function(ctx, conf)
        table.move({}, 1, math.maxinteger - 1, 2)
        return true
    end,
}
