-- Two keys that Unicode calls the same text, composed and decomposed: one key to Swift, two to Lua.
-- expect: error same text
return {
    pre_check = function(ctx, conf)
        return { ['\xc3\xa9'] = 1, ['e\xcc\x81'] = 2 }
    end,
}
