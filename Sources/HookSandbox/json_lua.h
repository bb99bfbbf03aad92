// JSON to Lua values and back. Integers only, of 64 bits, as in the journal.
#pragma once

#include <jansson.h>
#include <lua.h>

#include "output.h"

enum {
    /// How deep a value may be nested, either way. A table that contains itself is caught by it.
    JSON_DEPTH_MAX = 32,
};

/// Pushes `value`. `null` becomes `nil`, so a member that is `null` is absent from its table.
/// Raises a Lua error for a fraction or a value nested too deep.
void json_push(lua_State *state, const json_t *value);

/// Writes the value at `index` as JSON. A table whose keys are 1…n is an array, any other table
/// (also the empty one) an object with text keys. `name` is what errors call the value. Raises a
/// Lua error for what JSON or the journal cannot hold; ends the process when the output is full.
void json_write(lua_State *state, int index, const char *name, struct output *output);
