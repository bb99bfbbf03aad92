#include "host.h"

#include <jansson.h>
#include <lauxlib.h>
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

/// Waits for serve's answer and pushes it: the value, or `nil, message, code`.
static int push_reply(lua_State *state) {
    char *body = NULL;
    size_t length = 0;
    if (!frame_read(worker_fd, FRAME_REPLY_MAX_BYTES, &body, &length)) _exit(EXIT_FAILURE);
    json_t *reply = json_loadb(body, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (reply == NULL || !json_is_object(reply)) _exit(EXIT_FAILURE);
    if (json_is_true(json_object_get(reply, "ok"))) {
        json_t *value = json_object_get(reply, "value");
        if (value == NULL || json_is_null(value)) {
            lua_pushboolean(state, 1);
        } else {
            json_push(state, value);
        }
        return 1;
    }
    const char *error = json_string_value(json_object_get(reply, "error"));
    const char *code = json_string_value(json_object_get(reply, "code"));
    lua_pushnil(state);
    lua_pushstring(state, error == NULL ? "the call failed" : error);
    lua_pushstring(state, code == NULL ? "failed" : code);
    return 3;
}

/// `ctx.notify(channel, {summary = …, severity = …, data = …})`. What the message may hold is
/// checked by serve, which does not trust this process.
static int notify(lua_State *state) {
    luaL_checktype(state, 1, LUA_TSTRING);
    luaL_checktype(state, 2, LUA_TTABLE);
    struct output frame;
    output_begin(&frame, limits_output_bytes());
    output_text(&frame, "{\"call\":\"notify\",\"args\":{\"channel\":");
    json_write(state, 1, "channel", &frame);
    output_text(&frame, ",\"message\":");
    json_write(state, 2, "message", &frame);
    output_text(&frame, "}}");
    send_or_exit(&frame);
    output_end(&frame);
    return push_reply(state);
}

void host_add_handles(lua_State *state, int fd, int is_policy) {
    worker_fd = fd;
    lua_pushcfunction(state, log_line);
    lua_setfield(state, -2, "log");
    if (is_policy) return;
    lua_pushcfunction(state, notify);
    lua_setfield(state, -2, "notify");
}
