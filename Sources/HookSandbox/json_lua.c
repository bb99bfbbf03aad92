#include "json_lua.h"

#include <lauxlib.h>
#include <stdio.h>

#include "host.h"
#include "ordered.h"

static void push_value(lua_State *state, const json_t *value, int depth) {
    if (depth > JSON_DEPTH_MAX) luaL_error(state, "a value from outside is nested too deep");
    luaL_checkstack(state, 4, "a value from outside is nested too deep");
    switch (json_typeof(value)) {
    case JSON_NULL: lua_pushnil(state); return;
    case JSON_TRUE: lua_pushboolean(state, 1); return;
    case JSON_FALSE: lua_pushboolean(state, 0); return;
    case JSON_INTEGER: lua_pushinteger(state, (lua_Integer)json_integer_value(value)); return;
    case JSON_REAL: luaL_error(state, "a value from outside holds a fraction"); return;
    case JSON_STRING:
        lua_pushlstring(state, json_string_value(value), json_string_length(value));
        return;
    case JSON_ARRAY: {
        size_t count = json_array_size(value);
        lua_createtable(state, (int)count, 0);
        for (size_t at = 0; at < count; at++) {
            push_value(state, json_array_get(value, at), depth + 1);
            lua_rawseti(state, -2, (lua_Integer)at + 1);
        }
        return;
    }
    case JSON_OBJECT: {
        lua_createtable(state, 0, (int)json_object_size(value));
        const char *key;
        json_t *member;
        json_object_foreach((json_t *)value, key, member) {
            lua_pushstring(state, key);
            push_value(state, member, depth + 1);
            lua_rawset(state, -3);
        }
        return;
    }
    }
}

void json_push(lua_State *state, const json_t *value) { push_value(state, value, 0); }

/// Where in the value the writer stands, for its error messages.
struct place {
    const struct place *outer;
    const char *key;
    lua_Integer position;
};

static void push_place(lua_State *state, const struct place *place) {
    if (place->outer == NULL) {
        lua_pushstring(state, place->key);
        return;
    }
    luaL_checkstack(state, 4, NULL);
    push_place(state, place->outer);
    if (place->key != NULL) {
        lua_pushfstring(state, ".%s", place->key);
    } else {
        lua_pushfstring(state, "[%I]", (LUAI_UACINT)place->position);
    }
    lua_concat(state, 2);
}

static void refuse(lua_State *state, const struct place *place, const char *why) {
    push_place(state, place);
    luaL_error(state, "%s %s", lua_tostring(state, -1), why);
}

static void write_value(
    lua_State *state, int index, const struct place *place, int depth, struct output *output);

static void write_number(
    lua_State *state, int index, const struct place *place, struct output *output
) {
    int exact = 0;
    lua_Integer value = lua_tointegerx(state, index, &exact);
    if (!exact) {
        refuse(
            state, place,
            "is not a whole number of 64 bits: round it (math.floor) or use a smaller unit");
    }
    output_integer(output, value);
}

static void write_text(
    lua_State *state, int index, const struct place *place, struct output *output
) {
    size_t length = 0;
    const char *text = lua_tolstring(state, index, &length);
    if (!utf8_is_valid(text, length)) refuse(state, place, "is not UTF-8 text");
    output_string(output, text, length);
}

/// The number of elements when the keys of the table are exactly 1…n with n above 0; else 0.
static lua_Integer sequence_length(lua_State *state, int index) {
    lua_Integer length = (lua_Integer)lua_rawlen(state, index);
    if (length == 0) return 0;
    lua_Integer members = 0;
    lua_pushnil(state);
    while (lua_next(state, index) != 0) {
        lua_pop(state, 1);
        members += 1;
    }
    if (members != length) return 0;
    for (lua_Integer at = 1; at <= length; at++) {
        int type = lua_rawgeti(state, index, at);
        lua_pop(state, 1);
        if (type == LUA_TNIL) return 0;
    }
    return length;
}

static void write_array(
    lua_State *state, int index, lua_Integer length, const struct place *place, int depth,
    struct output *output
) {
    output_text(output, "[");
    for (lua_Integer at = 1; at <= length; at++) {
        if (at > 1) output_text(output, ",");
        struct place inner = {.outer = place, .position = at};
        lua_rawgeti(state, index, at);
        write_value(state, lua_gettop(state), &inner, depth + 1, output);
        lua_pop(state, 1);
    }
    output_text(output, "]");
}

static void write_object(
    lua_State *state, int index, const struct place *place, int depth, struct output *output
) {
    // In order: where two members are unfit, or one is and the output is full, what the outcome says
    // must not depend on where Lua keeps them.
    size_t count = ordered_keys(state, index);
    int keys = lua_gettop(state);
    for (size_t at = 1; at <= count; at++) {
        int type = lua_rawgeti(state, keys, (lua_Integer)at);
        lua_pop(state, 1);
        if (type != LUA_TSTRING) {
            refuse(state, place, "has keys that are neither all texts nor exactly 1 to n");
        }
    }
    output_text(output, "{");
    for (size_t at = 1; at <= count; at++) {
        if (at > 1) output_text(output, ",");
        lua_rawgeti(state, keys, (lua_Integer)at);
        int key = lua_gettop(state);
        struct place inner = {.outer = place, .key = lua_tostring(state, key)};
        write_text(state, key, &inner, output);
        output_text(output, ":");
        lua_pushvalue(state, key);
        lua_rawget(state, index);
        write_value(state, key + 1, &inner, depth + 1, output);
        lua_settop(state, keys);
    }
    lua_pop(state, 1);
    output_text(output, "}");
}

static void write_value(
    lua_State *state, int index, const struct place *place, int depth, struct output *output
) {
    if (depth > JSON_DEPTH_MAX) refuse(state, place, "is nested too deep, or contains itself");
    luaL_checkstack(state, 8, "a value is nested too deep");
    switch (lua_type(state, index)) {
    case LUA_TNIL: output_text(output, "null"); return;
    case LUA_TBOOLEAN: output_text(output, lua_toboolean(state, index) ? "true" : "false"); return;
    case LUA_TNUMBER: write_number(state, index, place, output); return;
    case LUA_TSTRING: write_text(state, index, place, output); return;
    case LUA_TTABLE: {
        lua_Integer length = sequence_length(state, index);
        if (length > 0) {
            write_array(state, index, length, place, depth, output);
        } else {
            write_object(state, index, place, depth, output);
        }
        return;
    }
    case LUA_TUSERDATA:
        if (host_secret_name(state, index)) {
            size_t length = 0;
            const char *name = lua_tolstring(state, -1, &length);
            output_text(output, "{\"$secret\":");
            output_string(output, name, length);
            output_text(output, "}");
            lua_pop(state, 1);
            return;
        }
        // fall through
    default: refuse(state, place, "is a function, coroutine or userdata, which is no data");
    }
}

void json_write(lua_State *state, int index, const char *name, struct output *output) {
    struct place root = {.key = name};
    write_value(state, lua_absindex(state, index), &root, 0, output);
}
