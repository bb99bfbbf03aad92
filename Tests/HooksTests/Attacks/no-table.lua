-- A script that returns no table.
-- expect: error must return a table
return 42
