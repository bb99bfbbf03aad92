-- An endless loop before any function is called.
-- expect: limit instructions
while true do end
