#include "rehearsal.h"

#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "json_lua.h"
#include "lua_env.h"
#include "output.h"

enum { REHEARSAL_OUTPUT_BYTES = 64 * 1024 };

static const char request[] =
    "{\"cluster\":{\"id\":\"c\",\"members\":[1,2,3]},\"fine\":true,\"none\":null,\"now_ms\":1,"
    "\"nodes\":[{\"id\":\"a\",\"lag_ms\":1},{\"id\":\"b\",\"lag_ms\":2},{\"id\":\"c\"}]}";

// As long as a usual hook: what the parser, the collector and the libraries touch, it touches.
static const char script[] =
    "local rules = {}\n"
    "rules[1] = function(node) return (node.lag_ms or 0) * 2 // 3 end\n"
    "rules[2] = function(node) return node.id == 'b' and 1 or 2 end\n"
    "local function total(nodes)\n"
    "  local sum, names = 0, {}\n"
    "  for _, node in ipairs(nodes) do\n"
    "    for _, rule in ipairs(rules) do sum = sum + rule(node) end\n"
    "    names[#names + 1] = string.format('%s=%d', node.id, sum)\n"
    "  end\n"
    "  table.sort(names)\n"
    "  return sum, table.concat(names, ', ')\n"
    "end\n"
    "return { admit = function(ctx)\n"
    "  local sum, text = total(ctx.nodes)\n"
    "  local keys = {}\n"
    "  for key in pairs(ctx.cluster) do keys[#keys + 1] = tostring(key) end\n"
    "  local ok, problem = pcall(error, { code = 'x' })\n"
    "  if text:find('b=', 1, true) then text = text:gsub('=', ':') .. text:upper() end\n"
    "  return { verdict = sum > 0 and 'allow' or 'deny', reason = text, keys = keys,\n"
    "    ok = ok, problem = problem.code }\n"
    "end }\n";

static int perform(lua_State *state) {
    lua_env_install(state);
    if (luaL_loadbufferx(state, script, sizeof script - 1, "=rehearsal", "t") != LUA_OK) {
        return lua_error(state);
    }
    lua_call(state, 0, 1);
    lua_getfield(state, -1, "admit");
    json_t *input = json_loadb(request, sizeof request - 1, JSON_REJECT_DUPLICATES, NULL);
    if (input == NULL) return 0;
    json_push(state, input);
    json_decref(input);
    lua_call(state, 1, 1);
    struct output output;
    output_begin(&output, REHEARSAL_OUTPUT_BYTES);
    json_write(state, lua_gettop(state), "the rehearsal", &output);
    output_end(&output);
    return 0;
}

void rehearse(void) {
    frames_rehearse();
    // Not with the allocator of the limits: what is used here counts for nobody.
    lua_State *state = luaL_newstate();
    if (state == NULL) return;
    lua_pushcfunction(state, perform);
    (void)lua_pcall(state, 0, 0, 0);
    lua_close(state);
}
