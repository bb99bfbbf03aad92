// The budgets of one invocation. A budget that is used up ends the process after a last frame: it
// never becomes a Lua error, because a script could catch that, and because Debian's Lua 5.4.4
// crashes on some allocation failures.
#pragma once

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /// The exit status of a worker that ended itself at a limit.
    EXIT_LIMIT = 71,
    /// What Lua may use before the budgets are known: the smallest that a manifest may ask for.
    MEMORY_BEFORE_REQUEST_BYTES = 256 * 1024,
    /// The count hook fires once per this many virtual machine instructions.
    INSTRUCTION_STEP = 1000,
};

struct budgets {
    uint64_t instructions;
    size_t memory_bytes;
    size_t output_bytes;
    size_t log_bytes;
    uint64_t cpu_ms;
};

struct usage {
    uint64_t instructions;
    size_t memory_bytes;
    size_t memory_peak_bytes;
    uint64_t cpu_us;
};

/// Takes the budgets and starts the processor timer. `fd` is where the last frame goes.
void limits_begin(int fd, const struct budgets *budgets);

/// Writes the last frame (`which` is `instructions`, `memory` or `output`) and ends the process.
_Noreturn void limits_reached(const char *which);

/// Counts instructions that no hook sees, such as the first ones of a new coroutine.
void limits_charge(uint64_t instructions);

/// Installs the count hook on `state`. Coroutines inherit it from the thread that creates them.
void limits_watch(lua_State *state);

/// The same, and each line that runs is marked in the coverage.
void limits_watch_lines(lua_State *state);

/// The Lua allocator; the memory of all Lua values of the process.
void *limits_allocate(void *context, void *block, size_t old_size, size_t new_size);

size_t limits_output_bytes(void);
size_t limits_log_bytes(void);
struct usage limits_usage(void);
