#include "host.h"

#include <jansson.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frames.h"
#include "json_lua.h"
#include "limits.h"
#include "lua_env.h"

static int worker_fd = -1;
static size_t log_bytes;

/// serve is gone, so nobody waits for the outcome.
static void send_or_exit(const struct output *frame) {
    if (!frame_write(worker_fd, frame->bytes, frame->length)) _exit(EXIT_FAILURE);
}

/// `ctx.log(...)`: one line, its arguments separated by spaces. Each counts with its end, so that
/// empty lines are not free.
static int log_line(lua_State *state) {
    int count = lua_gettop(state);
    luaL_Buffer line;
    luaL_buffinit(state, &line);
    for (int index = 1; index <= count; index++) {
        if (index > 1) luaL_addchar(&line, ' ');
        lua_env_push_text(state, index);
        luaL_addvalue(&line);
    }
    luaL_pushresult(&line);
    size_t length = 0;
    const char *text = lua_tolstring(state, -1, &length);
    if (length >= limits_log_bytes() - log_bytes) limits_reached(EXIT_LIMIT_LOG);
    log_bytes += length + 1;
    struct output frame;
    // An escaped byte takes at most six.
    output_begin(&frame, 6 * length + 64);
    output_text(&frame, "{\"log\":");
    output_string(&frame, text, length);
    output_text(&frame, "}");
    send_or_exit(&frame);
    output_end(&frame);
    return 0;
}

// MARK: Secrets

static const char secret_type[] = "continuity.Secret";

/// What stands for a secret: its name, which is all that this process knows of it.
static int push_secret(lua_State *state, const json_t *value) {
    const char *name = json_string_value(json_object_get(value, "$secret"));
    if (name == NULL) return 0;
    lua_newuserdatauv(state, 0, 1);
    lua_pushstring(state, name);
    lua_setiuservalue(state, -2, 1);
    luaL_setmetatable(state, secret_type);
    return 1;
}

static int secret_text(lua_State *state) {
    lua_pushliteral(state, "secret");
    return 1;
}

/// Nobody may look into or change what secrets have in common.
static void make_secret_type(lua_State *state) {
    luaL_newmetatable(state, secret_type);
    lua_pushcfunction(state, secret_text);
    lua_setfield(state, -2, "__tostring");
    lua_pushboolean(state, 0);
    lua_setfield(state, -2, "__metatable");
    lua_pop(state, 1);
}

int host_secret_name(lua_State *state, int index) {
    if (luaL_testudata(state, index, secret_type) == NULL) return 0;
    lua_getiuservalue(state, index, 1);
    return 1;
}

// MARK: Calls

/// Waits for serve's answer and pushes it: the value, or `nil, message, code`.
static int push_reply(lua_State *state) {
    char *body = NULL;
    size_t length = 0;
    if (!frame_read(worker_fd, FRAME_REPLY_MAX_BYTES, &body, &length)) _exit(EXIT_FAILURE);
    json_t *reply = json_loadb(body, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    free(body);
    if (reply == NULL || !json_is_object(reply)) {
        json_decref(reply);
        return luaL_error(state, "the answer cannot be read here");
    }
    int count = 1;
    if (json_is_true(json_object_get(reply, "ok"))) {
        json_t *value = json_object_get(reply, "value");
        if (value == NULL || json_is_null(value)) {
            lua_pushboolean(state, 1);
        } else if (!push_secret(state, value)) {
            json_push(state, value);
        }
    } else {
        const char *error = json_string_value(json_object_get(reply, "error"));
        const char *code = json_string_value(json_object_get(reply, "code"));
        lua_pushnil(state);
        lua_pushstring(state, error == NULL ? "the call failed" : error);
        lua_pushstring(state, code == NULL ? "failed" : code);
        count = 3;
    }
    json_decref(reply);
    return count;
}

/// One operation of serve's catalogue, named by the upvalue: the arguments go out as they are.
/// What they may be is checked by serve, which does not trust this process.
static int call(lua_State *state) {
    size_t name_length = 0;
    const char *name = lua_tolstring(state, lua_upvalueindex(1), &name_length);
    int count = lua_gettop(state);
    struct output frame;
    output_begin(&frame, limits_output_bytes());
    output_text(&frame, "{\"call\":");
    output_string(&frame, name, name_length);
    output_text(&frame, ",\"args\":[");
    for (int index = 1; index <= count; index++) {
        if (index > 1) output_text(&frame, ",");
        const char *place = lua_pushfstring(state, "ctx.%s: argument %d", name, index);
        json_write(state, index, place, &frame);
        lua_pop(state, 1);
    }
    output_text(&frame, "]}");
    send_or_exit(&frame);
    output_end(&frame);
    return push_reply(state);
}

/// Adds `group.member`, or a plain name, to the table at `context`.
static void add_operation(lua_State *state, int context, const char *name) {
    const char *dot = strchr(name, '.');
    lua_pushvalue(state, context);
    if (dot != NULL) {
        lua_pushlstring(state, name, (size_t)(dot - name));
        lua_pushvalue(state, -1);
        if (lua_rawget(state, context) != LUA_TTABLE) {
            lua_pop(state, 1);
            lua_newtable(state);
            lua_pushvalue(state, -2);
            lua_pushvalue(state, -2);
            lua_rawset(state, context);
        }
        lua_remove(state, -2);
    }
    lua_pushstring(state, dot == NULL ? name : dot + 1);
    lua_pushstring(state, name);
    lua_pushcclosure(state, call, 1);
    lua_rawset(state, -3);
    lua_settop(state, context);
}

/// A policy's `ctx.now()`: the moment that stands in its input, so that it is pure.
static int given_now(lua_State *state) {
    lua_pushvalue(state, lua_upvalueindex(1));
    return 1;
}

void host_add_handles(lua_State *state, int fd, const json_t *operations) {
    worker_fd = fd;
    int context = lua_gettop(state);
    luaL_checkstack(state, 8, NULL);
    make_secret_type(state);
    lua_pushcfunction(state, log_line);
    lua_setfield(state, context, "log");
    lua_getfield(state, context, "now_ms");
    lua_pushcclosure(state, given_now, 1);
    lua_setfield(state, context, "now");
    size_t count = json_array_size(operations);
    for (size_t at = 0; at < count; at++) {
        const char *name = json_string_value(json_array_get(operations, at));
        if (name == NULL) _exit(EXIT_FAILURE);
        add_operation(state, context, name);
    }
}
