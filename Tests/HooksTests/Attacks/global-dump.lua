-- Bytecode, which Lua does not verify.
-- expect: error nil value
return {
    pre_check = function(ctx, conf)
        string.dump(function() end)
        return true
    end,
}
