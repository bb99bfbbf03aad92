#include "ordered.h"

#include <lauxlib.h>
#include <string.h>

enum { RANK_NUMBER, RANK_TEXT, RANK_BOOLEAN, RANK_OTHER };

/// A key with what its order is decided on. Texts stay alive because their table holds them.
struct key {
    int rank;
    bool is_integer;
    lua_Integer integer;
    lua_Number number;
    const char *text;
    size_t length;
};

static struct key key_at(lua_State *state, int index) {
    struct key key = {.rank = RANK_OTHER};
    switch (lua_type(state, index)) {
    case LUA_TNUMBER:
        key.rank = RANK_NUMBER;
        key.is_integer = lua_isinteger(state, index);
        if (key.is_integer) key.integer = lua_tointeger(state, index);
        key.number = lua_tonumber(state, index);
        break;
    case LUA_TSTRING:
        key.rank = RANK_TEXT;
        key.text = lua_tolstring(state, index, &key.length);
        break;
    case LUA_TBOOLEAN:
        key.rank = RANK_BOOLEAN;
        key.integer = lua_toboolean(state, index);
        break;
    default: break;
    }
    return key;
}

static int compare(const struct key *left, const struct key *right) {
    if (left->rank != right->rank) return left->rank < right->rank ? -1 : 1;
    switch (left->rank) {
    case RANK_NUMBER:
        if (left->is_integer && right->is_integer) {
            return (left->integer > right->integer) - (left->integer < right->integer);
        }
        // An integer and a fraction that look equal as fractions: the integer comes first.
        if (left->number != right->number) return left->number < right->number ? -1 : 1;
        return (int)right->is_integer - (int)left->is_integer;
    case RANK_TEXT: {
        size_t shorter = left->length < right->length ? left->length : right->length;
        int order = shorter == 0 ? 0 : memcmp(left->text, right->text, shorter);
        if (order != 0) return order;
        return (left->length > right->length) - (left->length < right->length);
    }
    case RANK_BOOLEAN: return (int)(left->integer - right->integer);
    default: return 0;
    }
}

static bool pure;

void ordered_set_pure(bool is_pure) { pure = is_pure; }

/// Refuses, for a pure hook, a key that has no order.
///
/// The text must not say which key it was: which of several is met first depends on addresses, and
/// a policy that catches the error would decide by it.
static void check_rank(lua_State *state, const struct key *key) {
    if (key->rank == RANK_OTHER && pure) {
        luaL_error(
            state, "a policy cannot iterate over a table whose keys are not all numbers, texts and "
            "booleans: others have no order");
    }
}

struct entry {
    struct key key;
    /// Where the key stands in the unsorted list.
    lua_Integer position;
};

/// Bottom-up merge sort of `entries`, with `spare` of the same size. Returns where the result is.
static struct entry *merge_sort(struct entry *entries, struct entry *spare, size_t count) {
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            size_t middle = start + width < count ? start + width : count;
            size_t end = middle + width < count ? middle + width : count;
            size_t left = start, right = middle;
            for (size_t at = start; at < end; at++) {
                bool take_right = left == middle ||
                    (right < end && compare(&entries[right].key, &entries[left].key) < 0);
                spare[at] = entries[take_right ? right++ : left++];
            }
        }
        struct entry *sorted = spare;
        spare = entries;
        entries = sorted;
    }
    return entries;
}

/// Pushes a list of the keys of the table at `index`, as they come, and returns how many there are.
static size_t push_keys(lua_State *state, int index) {
    lua_newtable(state);
    int list = lua_gettop(state);
    size_t count = 0;
    lua_pushnil(state);
    while (lua_next(state, index) != 0) {
        lua_pop(state, 1);
        lua_pushvalue(state, -1);
        count += 1;
        lua_rawseti(state, list, (lua_Integer)count);
    }
    return count;
}

/// Replaces the list of `count` keys on top by one in order.
static void sort_keys(lua_State *state, size_t count, bool refuses_unordered) {
    int list = lua_gettop(state);
    // Memory for the sort, charged to the budget like all other values.
    struct entry *entries = lua_newuserdatauv(state, (2 * count + 1) * sizeof(struct entry), 0);
    for (size_t at = 0; at < count; at++) {
        lua_rawgeti(state, list, (lua_Integer)at + 1);
        entries[at].key = key_at(state, -1);
        entries[at].position = (lua_Integer)at + 1;
        if (refuses_unordered) check_rank(state, &entries[at].key);
        lua_pop(state, 1);
    }
    struct entry *sorted = merge_sort(entries, entries + count, count);
    lua_createtable(state, (int)count, 0);
    for (size_t at = 0; at < count; at++) {
        lua_rawgeti(state, list, sorted[at].position);
        lua_rawseti(state, -2, (lua_Integer)at + 1);
    }
    lua_replace(state, list);
    lua_settop(state, list);
}

size_t ordered_keys(lua_State *state, int index) {
    luaL_checkstack(state, 5, NULL);
    size_t count = push_keys(state, index);
    if (count > 1) sort_keys(state, count, false);
    return count;
}

/// Upvalues: the sorted keys, how many were visited.
static int pairs_step(lua_State *state) {
    // The step is a value that the script can keep and call with anything.
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_settop(state, 1);
    lua_Integer visited = lua_tointeger(state, lua_upvalueindex(2));
    for (;;) {
        visited += 1;
        if (lua_rawgeti(state, lua_upvalueindex(1), visited) == LUA_TNIL) return 1;
        lua_pushvalue(state, -1);
        if (lua_rawget(state, 1) != LUA_TNIL) break;
        lua_pop(state, 2);  // removed since the loop began
    }
    lua_pushinteger(state, visited);
    lua_replace(state, lua_upvalueindex(2));
    return 2;
}

int ordered_pairs(lua_State *state) {
    luaL_checkany(state, 1);
    if (luaL_getmetafield(state, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(state, 1);
        lua_call(state, 1, 3);
        return 3;
    }
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_settop(state, 1);
    sort_keys(state, push_keys(state, 1), true);
    lua_pushinteger(state, 0);
    lua_pushcclosure(state, pairs_step, 2);
    lua_pushvalue(state, 1);
    lua_pushnil(state);
    return 3;
}

/// `next` after a key without order, and the first of those: the table's own order, others skipped.
static int next_unordered(lua_State *state, bool from_start) {
    if (from_start) {
        lua_pushnil(state);
    } else {
        lua_pushvalue(state, 2);
    }
    while (lua_next(state, 1) != 0) {
        if (key_at(state, -2).rank == RANK_OTHER) return 2;
        lua_pop(state, 1);
    }
    lua_pushnil(state);
    return 1;
}

int ordered_next(lua_State *state) {
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_settop(state, 2);
    bool first = lua_isnil(state, 2);
    struct key after = key_at(state, 2);
    if (!first && after.rank == RANK_OTHER) {
        check_rank(state, &after);
        return next_unordered(state, false);
    }
    lua_pushnil(state);  // 3: the best key so far
    struct key best = {.rank = RANK_OTHER};
    lua_pushnil(state);
    while (lua_next(state, 1) != 0) {
        lua_pop(state, 1);
        struct key key = key_at(state, -1);
        check_rank(state, &key);
        if (key.rank == RANK_OTHER) continue;
        if (!first && compare(&key, &after) <= 0) continue;
        if (best.rank != RANK_OTHER && compare(&key, &best) >= 0) continue;
        best = key;
        lua_pushvalue(state, -1);
        lua_replace(state, 3);
    }
    if (best.rank == RANK_OTHER) return next_unordered(state, true);
    lua_settop(state, 3);
    lua_pushvalue(state, 3);
    lua_rawget(state, 1);
    return 2;
}

/// Whether the value at `left` sorts before the one at `right`; 2 is the comparison, or nil.
static bool sorts_before(lua_State *state, int left, int right) {
    if (lua_isnil(state, 2)) return lua_compare(state, left, right, LUA_OPLT);
    lua_pushvalue(state, 2);
    lua_pushvalue(state, left);
    lua_pushvalue(state, right);
    lua_call(state, 2, 1);
    bool before = lua_toboolean(state, -1);
    lua_pop(state, 1);
    return before;
}

/// Merges the runs start..<middle and middle..<end of the table at `from` into the one at `to`.
static void merge_runs(
    lua_State *state, int from, int to, lua_Integer start, lua_Integer middle, lua_Integer end
) {
    lua_Integer left = start, right = middle;
    for (lua_Integer at = start; at < end; at++) {
        bool take_right = left == middle;
        if (!take_right && right < end) {
            lua_rawgeti(state, from, right);
            lua_rawgeti(state, from, left);
            take_right = sorts_before(state, lua_gettop(state) - 1, lua_gettop(state));
            lua_pop(state, 2);
        }
        lua_rawgeti(state, from, take_right ? right++ : left++);
        lua_rawseti(state, to, at);
    }
}

int ordered_sort(lua_State *state) {
    luaL_checktype(state, 1, LUA_TTABLE);
    if (!lua_isnoneornil(state, 2)) luaL_checktype(state, 2, LUA_TFUNCTION);
    lua_settop(state, 2);
    lua_Integer count = luaL_len(state, 1);
    if (count < 2) return 0;
    if (count > 1 << 24) return luaL_error(state, "the list is too long to sort");
    lua_createtable(state, (int)count, 0);  // 3 and 4: the two sides of the merge
    lua_createtable(state, (int)count, 0);
    for (lua_Integer at = 1; at <= count; at++) {
        lua_geti(state, 1, at);
        lua_rawseti(state, 3, at);
    }
    int from = 3, to = 4;
    for (lua_Integer width = 1; width < count; width *= 2) {
        for (lua_Integer start = 1; start <= count; start += 2 * width) {
            lua_Integer middle = start + width <= count ? start + width : count + 1;
            lua_Integer end = middle + width <= count ? middle + width : count + 1;
            merge_runs(state, from, to, start, middle, end);
        }
        int sorted = to;
        to = from;
        from = sorted;
    }
    for (lua_Integer at = 1; at <= count; at++) {
        lua_rawgeti(state, from, at);
        lua_seti(state, 1, at);
    }
    return 0;
}
