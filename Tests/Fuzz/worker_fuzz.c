// The worker's wire decoding and result encoding, for libFuzzer. The first byte of an input chooses
// what the rest is:
//
// 0  everything that serve sends: a request with script, context, configuration and budgets
// 1  serve's answers to the host calls of a script that hands them back as its result
// 2  a program that builds a Lua value with every trick the C API allows, to be encoded
//
// Whatever comes in, each frame that goes out must be well-formed JSON of the length it announces.
#include <arpa/inet.h>
#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "confine.h"
#include "frames.h"
#include "json_lua.h"
#include "limits.h"
#include "lua_env.h"
#include "worker.h"

enum {
    FD = 3,
    MEMORY_MAX_BYTES = 8 * 1024 * 1024,
    INSTRUCTIONS_MAX = 200 * 1000,
    OUTPUT_MAX_BYTES = 64 * 1024,
    SENT_MAX_BYTES = 1024 * 1024,
};

// MARK: The worker's memory

struct block {
    struct block *previous, *next;
    size_t size;
    // Keeps what follows aligned for any type.
    size_t reserved;
};

static struct block blocks = {.previous = &blocks, .next = &blocks};

void *fuzz_malloc(size_t size) {
    struct block *block = malloc(sizeof *block + size);
    if (block == NULL) return NULL;
    *block = (struct block){.previous = &blocks, .next = blocks.next, .size = size};
    blocks.next->previous = block;
    blocks.next = block;
    return block + 1;
}

void fuzz_free(void *at) {
    if (at == NULL) return;
    struct block *block = (struct block *)at - 1;
    block->previous->next = block->next;
    block->next->previous = block->previous;
    free(block);
}

void *fuzz_realloc(void *at, size_t size) {
    void *fresh = fuzz_malloc(size);
    if (fresh == NULL || at == NULL) return fresh;
    size_t old = ((struct block *)at - 1)->size;
    memcpy(fresh, at, old < size ? old : size);
    fuzz_free(at);
    return fresh;
}

static void free_all(void) {
    while (blocks.next != &blocks) fuzz_free(blocks.next + 1);
}

// MARK: The worker's variables

extern char __start_worker_bss[], __stop_worker_bss[];
extern char __start_worker_data[], __stop_worker_data[];
static char *fresh_data;

/// By hand and unchecked: AddressSanitizer must not look at the gaps between the variables.
__attribute__((no_sanitize("address"))) static void copy(char *to, const char *from, size_t length) {
    for (volatile size_t at = 0; at < length; at++) to[at] = from == NULL ? 0 : from[at];
}

static void reset_variables(void) {
    size_t length = (size_t)(__stop_worker_data - __start_worker_data);
    if (fresh_data == NULL) {
        fresh_data = malloc(length + 1);
        copy(fresh_data, __start_worker_data, length);
    }
    copy(__start_worker_data, fresh_data, length);
    copy(__start_worker_bss, NULL, (size_t)(__stop_worker_bss - __start_worker_bss));
}

// MARK: The worker's process

static jmp_buf round_end;
/// What serve sends: first `lead`, then the input.
static const uint8_t *lead, *incoming;
static size_t lead_length, incoming_length;
static unsigned char sent[SENT_MAX_BYTES];
static size_t sent_length;

_Noreturn void fuzz_exit(int status) {
    (void)status;
    longjmp(round_end, 1);
}

static size_t take_from(const uint8_t **bytes, size_t *left, void *into, size_t length) {
    size_t count = *left < length ? *left : length;
    if (count > 0) memcpy(into, *bytes, count);
    *bytes += count;
    *left -= count;
    return count;
}

ssize_t fuzz_read(int fd, void *into, size_t length) {
    if (fd != FD) abort();
    if (lead_length > 0) return (ssize_t)take_from(&lead, &lead_length, into, length);
    return (ssize_t)take_from(&incoming, &incoming_length, into, length);
}

ssize_t fuzz_write(int fd, const void *from, size_t length) {
    if (fd != FD) abort();
    if (length > sizeof sent - sent_length) return -1;
    memcpy(sent + sent_length, from, length);
    sent_length += length;
    return (ssize_t)length;
}

/// A processor timer would end the fuzzer.
bool confine_cpu_timer(uint64_t cpu_ms) {
    (void)cpu_ms;
    return true;
}

void limits_begin(int fd, const struct budgets *asked);

static size_t least(size_t left, size_t right) { return left < right ? left : right; }

void fuzz_limits_begin(int fd, const struct budgets *asked) {
    struct budgets capped = *asked;
    capped.instructions = least(capped.instructions, INSTRUCTIONS_MAX);
    capped.memory_bytes = least(capped.memory_bytes, MEMORY_MAX_BYTES);
    capped.output_bytes = least(capped.output_bytes, OUTPUT_MAX_BYTES);
    capped.log_bytes = least(capped.log_bytes, OUTPUT_MAX_BYTES);
    limits_begin(fd, &capped);
}

/// Everything that was sent must be whole frames of JSON. The last one may be cut: a worker whose
/// peer is gone.
static void check_sent(void) {
    size_t at = 0;
    while (sent_length - at >= 4) {
        uint32_t header;
        memcpy(&header, sent + at, sizeof header);
        size_t length = ntohl(header);
        at += sizeof header;
        if (length == 0) abort();
        if (length > sent_length - at) return;
        json_error_t problem;
        json_t *frame = json_loadb(
            (const char *)sent + at, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &problem);
        // Jansson alone has no zero bytes in keys; JSON does.
        if (frame == NULL && json_error_code(&problem) != json_error_null_byte_in_key) {
            fprintf(stderr, "not JSON: %s at %d\n", problem.text, problem.position);
            abort();
        }
        if (frame != NULL && !json_is_object(frame)) abort();
        json_decref(frame);
        at += length;
    }
}

// MARK: Building a Lua value from bytes

struct builder {
    const uint8_t *at;
    size_t left;
};

static unsigned next_byte(struct builder *builder) {
    if (builder->left == 0) return 0;
    builder->left -= 1;
    return *builder->at++;
}

static void push_text(lua_State *state, struct builder *builder) {
    size_t length = least(next_byte(builder), builder->left);
    lua_pushlstring(state, (const char *)builder->at, length);
    builder->at += length;
    builder->left -= length;
}

static void push_number(lua_State *state, struct builder *builder, bool is_fraction) {
    uint64_t bits = 0;
    for (int at = 0; at < 8; at++) bits = bits << 8 | next_byte(builder);
    lua_Number number;
    memcpy(&number, &bits, sizeof number);
    if (is_fraction) {
        lua_pushnumber(state, number);
    } else {
        lua_pushinteger(state, (lua_Integer)bits);
    }
}

static int hostile(lua_State *state) {
    return luaL_error(state, "a metamethod ran during encoding");
}

static void add_metatable(lua_State *state) {
    static const char *const names[] = {
        "__index", "__len", "__pairs", "__tostring", "__name", "__eq", "__newindex",
    };
    lua_createtable(state, 0, 8);
    for (size_t at = 0; at < sizeof names / sizeof names[0]; at++) {
        lua_pushcfunction(state, hostile);
        lua_setfield(state, -2, names[at]);
    }
    lua_setmetatable(state, -2);
}

/// One step of the program: pushes a value, or puts the topmost ones into a table below them.
static void build_step(lua_State *state, struct builder *builder) {
    int top = lua_gettop(state);
    switch (next_byte(builder) % 14) {
    case 0: lua_newtable(state); break;
    case 1: push_text(state, builder); break;
    case 2: push_number(state, builder, false); break;
    case 3: push_number(state, builder, true); break;
    case 4: lua_pushboolean(state, (int)(next_byte(builder) & 1)); break;
    case 5: lua_pushinteger(state, (lua_Integer)next_byte(builder)); break;
    case 6: lua_pushcfunction(state, hostile); break;
    case 7: lua_newuserdatauv(state, next_byte(builder), 1); break;
    case 8: (void)lua_newthread(state); break;
    case 9:  // table, key, value
        if (top >= 4 && lua_istable(state, -3) && !lua_isnil(state, -2) &&
            lua_rawequal(state, -2, -2)) {
            lua_rawset(state, -3);
        }
        break;
    case 10:  // table, value: appended
        if (top >= 3 && lua_istable(state, -2)) {
            lua_rawseti(state, -2, (lua_Integer)lua_rawlen(state, -2) + 1);
        }
        break;
    case 11: lua_pushvalue(state, 2 + (int)(next_byte(builder) % (unsigned)(top - 1))); break;
    case 12:
        if (lua_istable(state, -1)) add_metatable(state);
        break;
    case 13:
        if (top > 2) lua_pop(state, 1);
        break;
    }
}

static int build_and_encode(lua_State *state) {
    struct builder *builder = lua_touserdata(state, 1);
    lua_newtable(state);
    while (builder->left > 0) {
        luaL_checkstack(state, 8, NULL);
        build_step(state, builder);
    }
    struct output frame;
    output_begin(&frame, OUTPUT_MAX_BYTES);
    output_text(&frame, "{\"value\":");
    json_write(state, -1, "the value", &frame);
    output_text(&frame, "}");
    (void)frame_write(FD, frame.bytes, frame.length);
    return 0;
}

static void encode(const uint8_t *bytes, size_t length) {
    const struct budgets budgets = {
        .instructions = INSTRUCTIONS_MAX,
        .memory_bytes = MEMORY_MAX_BYTES,
        .output_bytes = OUTPUT_MAX_BYTES,
    };
    lua_State *state = lua_newstate(limits_allocate, NULL);
    if (state == NULL) abort();
    limits_begin(FD, &budgets);
    struct builder builder = {.at = bytes, .left = length};
    lua_pushcfunction(state, build_and_encode);
    lua_pushlightuserdata(state, &builder);
    (void)lua_pcall(state, 1, 0, 0);
}

// MARK: One round

static const char echo_request[] =
    "{\"script\":\"local function f(ctx, conf) local all = {} for i = 1, 8 do "
    "local value, message, code = ctx.notify('c', {summary = 's', data = {last = all[#all]}}) "
    "ctx.log(value, message, code) all[#all + 1] = {value = value, message = message, code = code} "
    "end return {all = all} end return {pre_check = f}\","
    "\"chunk\":\"=fuzz\",\"entry\":\"pre_check\",\"kind\":\"check\",\"ctx\":{},\"conf\":{},"
    "\"seed\":[1,2],\"limits\":{\"instructions\":100000,\"memory_bytes\":4194304,"
    "\"output_bytes\":65536,\"log_bytes\":4096,\"cpu_ms\":1000}}";

static void run_round(const uint8_t *bytes, size_t length) {
    static uint8_t frame[4 + sizeof echo_request];
    if (setjmp(round_end) != 0) return;
    unsigned mode = bytes[0] % 3;
    incoming = bytes + 1;
    incoming_length = length - 1;
    lead_length = 0;
    if (mode == 2) {
        encode(bytes + 1, length - 1);
        return;
    }
    if (mode == 1) {
        uint32_t header = htonl(sizeof echo_request - 1);
        memcpy(frame, &header, sizeof header);
        memcpy(frame + sizeof header, echo_request, sizeof echo_request - 1);
        lead = frame;
        lead_length = sizeof header + sizeof echo_request - 1;
    }
    worker_run(FD);
}

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count;
    (void)arguments;
    json_object_seed(1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    if (length == 0) return 0;
    reset_variables();
    sent_length = 0;
    json_set_alloc_funcs(fuzz_malloc, fuzz_free);
    run_round(bytes, length);
    free_all();
    json_set_alloc_funcs(malloc, free);
    check_sent();
    return 0;
}

#ifdef FUZZ_REPLAY
/// Without the engine: runs each file once.
int main(int count, char **files) {
    static uint8_t bytes[1 << 20];
    (void)LLVMFuzzerInitialize(&count, &files);
    for (int at = 1; at < count; at++) {
        FILE *file = fopen(files[at], "rb");
        if (file == NULL) {
            perror(files[at]);
            return EXIT_FAILURE;
        }
        size_t length = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        (void)LLVMFuzzerTestOneInput(bytes, length);
    }
    printf("fuzz: %d inputs replayed, nothing found\n", count - 1);
    return EXIT_SUCCESS;
}
#endif
