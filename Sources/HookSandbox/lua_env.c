#include "lua_env.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "limits.h"
#include "ordered.h"

static const char *const base_names[] = {
    "select", "type", "ipairs", "tonumber", "pcall", "xpcall", "error", "assert", "getmetatable",
    "rawequal", "rawlen", "rawget", "rawset", NULL,
};
// No `dump`: bytecode. `format` is replaced below.
static const char *const string_names[] = {
    "byte", "char", "find", "gmatch", "gsub", "len", "lower", "match", "pack", "packsize", "rep",
    "reverse", "sub", "unpack", "upper", NULL,
};
// `sort` is replaced: Lua's own takes its pivots from the clock.
static const char *const table_names[] = {
    "concat", "insert", "move", "pack", "remove", "unpack", NULL,
};
// No `randomseed`: it would read clock and address.
static const char *const math_names[] = {
    "abs", "ceil", "exp", "floor", "fmod", "huge", "log", "max", "maxinteger", "min", "mininteger",
    "modf", "pi", "sqrt", "tointeger", "type", "ult", NULL,
};
static const char *const utf8_names[] = {
    "char", "charpattern", "codepoint", "codes", "len", "offset", NULL,
};
// No `close`: it crashes Debian's Lua 5.4.4 when nested.
static const char *const coroutine_names[] = {
    "isyieldable", "resume", "running", "status", "yield", NULL,
};

void lua_env_push_text(lua_State *state, int index) {
    index = lua_absindex(state, index);
    if (luaL_callmeta(state, index, "__tostring")) {
        if (!lua_isstring(state, -1)) luaL_error(state, "'__tostring' must return a string");
        return;
    }
    switch (lua_type(state, index)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING: luaL_tolstring(state, index, NULL); return;
    default: lua_pushstring(state, luaL_typename(state, index)); return;
    }
}

static int text_of(lua_State *state) {
    luaL_checkany(state, 1);
    lua_env_push_text(state, 1);
    return 1;
}

/// `string.format` without addresses: no `%p`, and tables and the like by the name of their type.
static int format(lua_State *state) {
    size_t length = 0;
    const char *pattern = luaL_checklstring(state, 1, &length);
    for (const char *at = pattern; at < pattern + length; at++) {
        if (*at != '%') continue;
        at++;
        while (*at != '\0' && strchr("-+ #0123456789.", *at) != NULL) at++;
        if (*at == 'p') return luaL_error(state, "'%%p' is not available: it shows an address");
    }
    int count = lua_gettop(state);
    for (int index = 2; index <= count; index++) {
        int type = lua_type(state, index);
        if (type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TTHREAD ||
            type == LUA_TUSERDATA || type == LUA_TLIGHTUSERDATA) {
            lua_env_push_text(state, index);
            lua_replace(state, index);
        }
    }
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    lua_call(state, count, 1);
    return 1;
}

/// Finalizers run outside the instruction count, and weak tables show when memory is collected.
static int set_metatable(lua_State *state) {
    if (lua_type(state, 2) == LUA_TTABLE) {
        static const char *const refused[] = {"__gc", "__mode"};
        for (size_t at = 0; at < sizeof refused / sizeof refused[0]; at++) {
            lua_pushstring(state, refused[at]);
            if (lua_rawget(state, 2) != LUA_TNIL) {
                return luaL_error(state, "metatables with '%s' are not available", refused[at]);
            }
            lua_pop(state, 1);
        }
    }
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    lua_call(state, lua_gettop(state) - 1, 1);
    return 1;
}

/// `coroutine.create` and `coroutine.wrap`: each new coroutine starts a count of its own, so it is
/// charged a whole step in advance. Else many short coroutines would run for free.
static int charged(lua_State *state) {
    limits_charge(INSTRUCTION_STEP);
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    lua_call(state, lua_gettop(state) - 1, 1);
    return 1;
}

/// Copies the named members of the table at `from` into the table on top.
static void copy_named(lua_State *state, int from, const char *const *names) {
    for (; *names != NULL; names++) {
        lua_getfield(state, from, *names);
        lua_setfield(state, -2, *names);
    }
}

/// Sets member `name` of the table on top to `function`, closed over the original at `from`.
static void wrap(lua_State *state, int from, const char *name, lua_CFunction function) {
    lua_getfield(state, from, name);
    lua_pushcclosure(state, function, 1);
    lua_setfield(state, -2, name);
}

/// Opens a standard library aside from the globals, and pushes its table and a new empty one.
static int open_aside(lua_State *state, lua_CFunction open) {
    lua_pushcfunction(state, open);
    lua_call(state, 0, 1);
    lua_newtable(state);
    return lua_gettop(state) - 1;
}

/// Names the table on top as global `name` of the environment at `env`, and drops what is above.
static void publish(lua_State *state, int env, const char *name) {
    lua_setfield(state, env, name);
    lua_settop(state, env);
}

static void install_string(lua_State *state, int env) {
    int from = open_aside(state, luaopen_string);
    copy_named(state, from, string_names);
    wrap(state, from, "format", format);
    // Methods on texts (`("x"):rep(3)`) come from the allow-list too, and stay what they are.
    lua_pushliteral(state, "");
    lua_getmetatable(state, -1);
    lua_pushvalue(state, from + 1);
    lua_setfield(state, -2, "__index");
    lua_pushboolean(state, 0);
    lua_setfield(state, -2, "__metatable");
    lua_pop(state, 2);
    publish(state, env, "string");
}

/// Where the registry keeps the whole `math` library for `lua_env_add_random`.
static const char whole_math;

static void install_math(lua_State *state, int env) {
    int from = open_aside(state, luaopen_math);
    copy_named(state, from, math_names);
    lua_pushvalue(state, from);
    lua_rawsetp(state, LUA_REGISTRYINDEX, &whole_math);
    publish(state, env, "math");
}

void lua_env_add_random(lua_State *state, const lua_Integer seed[2]) {
    lua_rawgetp(state, LUA_REGISTRYINDEX, &whole_math);
    lua_getfield(state, -1, "randomseed");
    lua_pushinteger(state, seed[0]);
    lua_pushinteger(state, seed[1]);
    lua_call(state, 2, 0);
    lua_pushglobaltable(state);
    lua_getfield(state, -1, "math");
    lua_getfield(state, -3, "random");
    lua_setfield(state, -2, "random");
    lua_pop(state, 3);
}

static void install_plain(
    lua_State *state, int env, const char *name, lua_CFunction open, const char *const *names
) {
    int from = open_aside(state, open);
    copy_named(state, from, names);
    if (open == luaopen_table) {
        lua_pushcfunction(state, ordered_sort);
        lua_setfield(state, -2, "sort");
    } else if (open == luaopen_coroutine) {
        wrap(state, from, "create", charged);
        wrap(state, from, "wrap", charged);
    }
    publish(state, env, name);
}

void lua_env_install(lua_State *state) {
    // luaopen_base fills the state's first table of globals, which is dropped at the end.
    lua_pushcfunction(state, luaopen_base);
    lua_call(state, 0, 1);
    int base = lua_gettop(state);
    lua_newtable(state);
    int env = lua_gettop(state);
    copy_named(state, base, base_names);
    wrap(state, base, "setmetatable", set_metatable);
    lua_pushcfunction(state, text_of);
    lua_setfield(state, env, "tostring");
    lua_pushcfunction(state, ordered_pairs);
    lua_setfield(state, env, "pairs");
    lua_pushcfunction(state, ordered_next);
    lua_setfield(state, env, "next");
    lua_pushvalue(state, env);
    lua_setfield(state, env, "_G");
    install_string(state, env);
    install_math(state, env);
    install_plain(state, env, "table", luaopen_table, table_names);
    install_plain(state, env, "utf8", luaopen_utf8, utf8_names);
    install_plain(state, env, "coroutine", luaopen_coroutine, coroutine_names);
    lua_rawseti(state, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pop(state, 1);
}
