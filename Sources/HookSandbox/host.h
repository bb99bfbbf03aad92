// The handles on `ctx`: what a hook can ask of serve.
#pragma once

#include <lua.h>

/// Adds the handles to the table on top of the stack. `fd` is the worker's socket; a policy gets
/// `log` alone.
void host_add_handles(lua_State *state, int fd, int is_policy);
