-- A compiled chunk in place of text. The test puts the signature in the first line's place.
-- expect: error attempt to load a binary chunk
-- prefix: bytecode
return {}
