// Which lines of a script ran, for tests. Off unless the request asks for it.
#pragma once

#include <lua.h>
#include <stdbool.h>

/// Prepares for the compiled chunk on top of the stack, and installs the line hook beside the
/// count hook. Does nothing more to the script than that; the instruction count stays the same.
void coverage_begin(lua_State *state, int fd);

/// Marks a line as executed. For the hook.
void coverage_mark(int line);

/// Writes the frame `{"coverage": {"executed": […], "active": […]}}`, if coverage is on. Lines
/// count from 1; an active line is one that holds code.
void coverage_send(void);
