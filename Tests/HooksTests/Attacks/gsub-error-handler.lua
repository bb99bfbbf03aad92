-- An error in a replacement function, caught again and again.
-- expect: limit instructions
return {
    pre_check = function(ctx, conf)
        while true do pcall(string.gsub, 'x', 'x', function() error({}) end) end
    end,
}
