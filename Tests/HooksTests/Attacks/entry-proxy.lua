-- An entry that is only there through __index.
-- expect: error no function
return setmetatable({}, { __index = function() while true do end end })
