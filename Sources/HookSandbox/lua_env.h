// The globals of a hook: an allow-list, built up from nothing.
#pragma once

#include <lua.h>

/// Replaces the globals of `state` by the allow-list, without `math.random`.
void lua_env_install(lua_State *state);

/// Adds `math.random`, which repeats itself for the same `seed` (two integers, from the digest of
/// the input). Not for a pure hook, that is a policy.
void lua_env_add_random(lua_State *state, const lua_Integer seed[2]);

/// Pushes the text of the value at `index` without any memory address in it: an address differs
/// from process to process. Calls `__tostring`, so it may raise.
void lua_env_push_text(lua_State *state, int index);
