-- An error that is no text.
-- expect: error instead of a text
return {
    pre_check = function(ctx, conf)
        error(setmetatable({}, { __tostring = function() while true do end end }))
    end,
}
