-- Every global replaced; the encoding of the result uses none of them.
-- expect: ok
return {
    pre_check = function(ctx, conf)
        for name in pairs(_G) do if name ~= '_G' then _G[name] = nil end end
        return { x = 1 }
    end,
}
