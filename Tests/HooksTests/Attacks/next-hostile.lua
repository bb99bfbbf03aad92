-- Next with a key that the table never had.
-- expect: error
-- kind: policy
return {
    admit = function(ctx, conf)
        return { pairs({ 1 })({}, 1), next({ 1 }, {}) }
    end,
}
