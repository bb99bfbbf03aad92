// Iteration and sorting that give the same order in every process. Lua's own depend on addresses,
// on the time of day, and on a hash seed made of both.
//
// Order of keys: numbers by value, then texts by bytes, then false and true. Other keys (tables,
// functions) have no such order: a pure hook gets an error, any other hook sees them last.
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/// Whether this process runs a pure hook.
void ordered_set_pure(bool is_pure);

/// `pairs`: iterates over the keys that the table has at the start.
int ordered_pairs(lua_State *state);

/// Pushes a list of the keys of the table at `index`, in order, and returns how many there are. Keys
/// without an order come last, in any order.
size_t ordered_keys(lua_State *state, int index);

/// `next`: the key after the given one, in order. Linear in the size of the table.
int ordered_next(lua_State *state);

/// `table.sort`: a stable merge sort, which no comparison function can lead astray.
int ordered_sort(lua_State *state);
