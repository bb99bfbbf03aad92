-- A text without end before any function is called.
-- expect: limit memory
local s = 'x' while true do s = s .. s end
