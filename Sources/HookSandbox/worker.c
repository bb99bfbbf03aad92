#include "worker.h"

#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coverage.h"
#include "frames.h"
#include "host.h"
#include "json_lua.h"
#include "limits.h"
#include "lua_env.h"
#include "ordered.h"
#include "rehearsal.h"

enum { ERROR_MAX_BYTES = 8 * 1024 };

struct invocation {
    int fd;
    const char *script;
    size_t script_length;
    const char *chunk;
    const char *entry;
    bool is_policy;
    bool covers_lines;
    lua_Integer seed[2];
    const json_t *operations;
    const json_t *context;
    const json_t *config;
    /// `ok`, or `failed` with a message.
    const char *status;
    /// With `ok` the value as JSON; with `failed` the message as a JSON string.
    struct output answer;
};

static const char *text_member(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL) _exit(EXIT_FAILURE);
    return text;
}

static uint64_t count_member(const json_t *object, const char *key) {
    const json_t *number = json_object_get(object, key);
    if (!json_is_integer(number) || json_integer_value(number) < 0) _exit(EXIT_FAILURE);
    return (uint64_t)json_integer_value(number);
}

static struct budgets read_budgets(const json_t *limits) {
    return (struct budgets){
        .instructions = count_member(limits, "instructions"),
        .memory_bytes = count_member(limits, "memory_bytes"),
        .output_bytes = count_member(limits, "output_bytes"),
        .log_bytes = count_member(limits, "log_bytes"),
        .cpu_ms = count_member(limits, "cpu_ms"),
    };
}

static struct invocation read_invocation(int fd, const json_t *request) {
    const json_t *script = json_object_get(request, "script");
    struct invocation invocation = {
        .fd = fd,
        .script = text_member(request, "script"),
        .script_length = json_string_length(script),
        .chunk = text_member(request, "chunk"),
        .entry = text_member(request, "entry"),
        .is_policy = strcmp(text_member(request, "kind"), "policy") == 0,
        .operations = json_object_get(request, "operations"),
        .covers_lines = json_is_true(json_object_get(request, "coverage")),
        .context = json_object_get(request, "ctx"),
        .config = json_object_get(request, "conf"),
    };
    const json_t *seed = json_object_get(request, "seed");
    for (size_t at = 0; at < 2; at++) {
        invocation.seed[at] = (lua_Integer)json_integer_value(json_array_get(seed, at));
    }
    if (!json_is_object(invocation.context) || !json_is_object(invocation.config)) {
        _exit(EXIT_FAILURE);
    }
    return invocation;
}

/// Turns a raised value into a text with a traceback.
static int traceback(lua_State *state) {
    if (lua_type(state, 1) != LUA_TSTRING) {
        lua_pushfstring(state, "(a %s was raised instead of a text)", luaL_typename(state, 1));
        lua_replace(state, 1);
    }
    luaL_traceback(state, state, lua_tostring(state, 1), 1);
    return 1;
}

/// Reads the function's results at `first` and above.
static void take_answer(lua_State *state, int first, struct invocation *invocation) {
    lua_settop(state, first + 1);
    switch (lua_type(state, first)) {
    case LUA_TTABLE:
        invocation->status = "ok";
        json_write(state, first, "the returned table", &invocation->answer);
        return;
    case LUA_TBOOLEAN:
        if (lua_toboolean(state, first)) {
            invocation->status = "ok";
            output_text(&invocation->answer, "true");
            return;
        }
        break;
    case LUA_TNIL: break;
    default:
        luaL_error(
            state, "'%s' returned a %s: it must return true, a table, or nil and a message",
            invocation->entry, luaL_typename(state, first));
    }
    invocation->status = "failed";
    size_t length = 0;
    const char *message = "no message was returned";
    if (lua_isnil(state, first + 1)) {
        length = strlen(message);
    } else {
        lua_env_push_text(state, first + 1);
        message = lua_tolstring(state, -1, &length);
    }
    if (length > ERROR_MAX_BYTES) length = ERROR_MAX_BYTES;
    output_string(&invocation->answer, message, length);
}

static int run_invocation(lua_State *state) {
    struct invocation *invocation = lua_touserdata(state, 1);
    ordered_set_pure(invocation->is_policy);
    if (!invocation->is_policy) lua_env_add_random(state, invocation->seed);
    int loaded = luaL_loadbufferx(
        state, invocation->script, invocation->script_length, invocation->chunk, "t");
    if (loaded != LUA_OK) return lua_error(state);
    if (invocation->covers_lines) coverage_begin(state, invocation->fd);
    lua_call(state, 0, 1);
    if (!lua_istable(state, -1)) {
        return luaL_error(state, "the script must return a table of functions named after stages");
    }
    lua_pushstring(state, invocation->entry);
    if (lua_rawget(state, -2) != LUA_TFUNCTION) {
        return luaL_error(state, "the script returned no function '%s'", invocation->entry);
    }
    int first = lua_gettop(state);
    json_push(state, invocation->context);
    host_add_handles(state, invocation->fd, invocation->operations);
    json_push(state, invocation->config);
    lua_call(state, 2, LUA_MULTRET);
    take_answer(state, first, invocation);
    return 0;
}

_Noreturn static void finish(const struct invocation *invocation, const char *error, size_t length) {
    struct output frame;
    output_begin(&frame, limits_output_bytes() + 8 * ERROR_MAX_BYTES);
    output_text(&frame, "{\"done\":{\"status\":\"");
    if (error != NULL) {
        output_text(&frame, "error\",\"error\":");
        output_string(&frame, error, length < ERROR_MAX_BYTES ? length : ERROR_MAX_BYTES);
    } else {
        output_text(&frame, invocation->status);
        output_text(&frame, strcmp(invocation->status, "ok") == 0 ? "\",\"value\":" : "\",\"error\":");
        output_bytes(&frame, invocation->answer.bytes, invocation->answer.length);
    }
    struct usage usage = limits_usage();
    output_text(&frame, ",\"instructions\":");
    output_integer(&frame, (int64_t)usage.instructions);
    output_text(&frame, ",\"memory_bytes\":");
    output_integer(&frame, (int64_t)usage.memory_peak_bytes);
    output_text(&frame, ",\"cpu_us\":");
    output_integer(&frame, (int64_t)usage.cpu_us);
    output_text(&frame, "}}");
    bool sent = frame_write(invocation->fd, frame.bytes, frame.length);
    _exit(sent ? EXIT_SUCCESS : EXIT_FAILURE);
}

_Noreturn void worker_run(int fd) {
    // All that does not depend on the request is done while nobody waits.
    rehearse();
    lua_State *state = lua_newstate(limits_allocate, NULL);
    if (state == NULL) _exit(EXIT_FAILURE);
    lua_env_install(state);

    char *body = NULL;
    size_t length = 0;
    if (!frame_read(fd, FRAME_REQUEST_MAX_BYTES, &body, &length)) _exit(EXIT_SUCCESS);
    json_t *request = json_loadb(body, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    free(body);
    if (!json_is_object(request)) _exit(EXIT_FAILURE);
    struct invocation invocation = read_invocation(fd, request);
    struct budgets budgets = read_budgets(json_object_get(request, "limits"));
    limits_begin(fd, &budgets);
    output_begin(&invocation.answer, budgets.output_bytes);

    limits_watch(state);
    lua_pushcfunction(state, traceback);
    lua_pushcfunction(state, run_invocation);
    lua_pushlightuserdata(state, &invocation);
    if (lua_pcall(state, 1, 0, 1) == LUA_OK) finish(&invocation, NULL, 0);
    size_t error_length = 0;
    const char *error = lua_tolstring(state, -1, &error_length);
    if (error == NULL) error = "an error without a text";
    finish(&invocation, error, error_length == 0 ? strlen(error) : error_length);
}
