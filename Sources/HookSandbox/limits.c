#include "limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"
#include "coverage.h"
#include "frames.h"

// A worker is one process for one invocation, so its budgets are the process's.
static struct budgets granted = {.memory_bytes = MEMORY_BEFORE_REQUEST_BYTES};
static struct usage used;
static int report_fd = -1;

static uint64_t process_cpu_us(void) {
    struct timespec spent;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) != 0) return 0;
    return (uint64_t)spent.tv_sec * 1000000u + (uint64_t)spent.tv_nsec / 1000u;
}

void limits_begin(int fd, const struct budgets *budgets) {
    granted = *budgets;
    report_fd = fd;
    if (!confine_cpu_timer(budgets->cpu_ms)) _exit(EXIT_FAILURE);
}

static const char *name_of(int status) {
    switch (status) {
    case EXIT_LIMIT_INSTRUCTIONS: return "instructions";
    case EXIT_LIMIT_MEMORY: return "memory";
    case EXIT_LIMIT_OUTPUT: return "output";
    default: return "log";
    }
}

_Noreturn void limits_reached(int status) {
    struct usage final = limits_usage();
    // No allocation here: this runs inside the allocator.
    char frame[256];
    int length = snprintf(
        frame, sizeof frame,
        "{\"done\":{\"status\":\"limit\",\"limit\":\"%s\",\"instructions\":%" PRIu64
        ",\"memory_bytes\":%zu,\"cpu_us\":%" PRIu64 "}}",
        name_of(status), final.instructions, final.memory_peak_bytes, final.cpu_us);
    if (length > 0 && (size_t)length < sizeof frame) {
        (void)frame_write(report_fd, frame, (size_t)length);
    }
    _exit(status);
}

void limits_charge(uint64_t instructions) {
    used.instructions += instructions;
    if (used.instructions > granted.instructions) limits_reached(EXIT_LIMIT_INSTRUCTIONS);
}

static void on_count(lua_State *state, lua_Debug *event) {
    (void)state;
    (void)event;
    limits_charge(INSTRUCTION_STEP);
}

static void on_count_or_line(lua_State *state, lua_Debug *event) {
    if (event->event == LUA_HOOKLINE) {
        coverage_mark(event->currentline);
    } else {
        on_count(state, event);
    }
}

void limits_watch(lua_State *state) {
    lua_sethook(state, on_count, LUA_MASKCOUNT, INSTRUCTION_STEP);
}

void limits_watch_lines(lua_State *state) {
    lua_sethook(state, on_count_or_line, LUA_MASKCOUNT | LUA_MASKLINE, INSTRUCTION_STEP);
}

void *limits_allocate(void *context, void *block, size_t old_size, size_t new_size) {
    (void)context;
    // For a new block Lua passes the kind of object instead of a size.
    size_t old_bytes = block == NULL ? 0 : old_size;
    if (new_size == 0) {
        free(block);
        used.memory_bytes -= old_bytes;
        return NULL;
    }
    size_t others = used.memory_bytes - old_bytes;
    if (new_size > granted.memory_bytes || others > granted.memory_bytes - new_size) {
        limits_reached(EXIT_LIMIT_MEMORY);
    }
    void *fresh = realloc(block, new_size);
    if (fresh == NULL) limits_reached(EXIT_LIMIT_MEMORY);
    used.memory_bytes = others + new_size;
    if (used.memory_bytes > used.memory_peak_bytes) used.memory_peak_bytes = used.memory_bytes;
    return fresh;
}

size_t limits_output_bytes(void) { return granted.output_bytes; }
size_t limits_log_bytes(void) { return granted.log_bytes; }

struct usage limits_usage(void) {
    used.cpu_us = process_cpu_us();
    return used;
}
