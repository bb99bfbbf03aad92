// Which lines of a script ran, for tests. Off unless the request asks for it.
#pragma once

#include <lua.h>
#include <stdbool.h>

/// Prepares for the compiled chunk on top of the stack, writes the frame `{"coverage": {"executed":
/// [], "active": […]}}`, and installs the line hook beside the count hook. Lines count from 1; an
/// active line is one that holds code. Does nothing more to the script than that; the instruction count stays the same.
void coverage_begin(lua_State *state, int fd);

/// Marks a line as executed, for the hook. The first time it writes the frame `{"line": N}`.
void coverage_mark(int line);
