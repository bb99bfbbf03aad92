// The handles on `ctx`: what a hook can ask of serve.
#pragma once

#include <jansson.h>
#include <lua.h>

/// Adds the handles to the table on top of the stack: `log`, `now`, and the operations that serve
/// names (none for a policy). `fd` is the worker's socket.
void host_add_handles(lua_State *state, int fd, const json_t *operations);

/// Pushes the name of the secret at `index`. 0: there is none, and nothing is pushed.
int host_secret_name(lua_State *state, int index);
