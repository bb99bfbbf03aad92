-- An entry that is a callable table.
-- expect: error no function
return { pre_check = setmetatable({}, { __call = function() return true end }) }
