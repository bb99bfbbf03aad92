// What an agent and its guard process say to each other, over a SOCK_SEQPACKET pair: one of these
// structures is one packet. Both ends are of the same build.
#pragma once

#include <stdint.h>

enum {
    /// Fence when `deadline_boot_ms` passes; 0: there is nothing to guard.
    CONTINUITY_GUARD_WATCH = 1,
    /// The agent ends in order and takes the responsibility with it: the guard ends too.
    CONTINUITY_GUARD_RELEASE = 2,
};

struct continuity_guard_order {
    uint32_t kind;
    /// Grows by one with each order; the answer repeats it.
    uint32_t sequence;
    /// By continuity_boot_milliseconds().
    int64_t deadline_boot_ms;
};

enum {
    /// Nothing of the guard can be paged out.
    CONTINUITY_GUARD_LOCKED = 1,
    /// The kernel does not choose it when memory runs out.
    CONTINUITY_GUARD_UNKILLABLE = 2,
    /// It runs before ordinary processes.
    CONTINUITY_GUARD_REALTIME = 4,
    /// The kernel watchdog is open and being fed.
    CONTINUITY_GUARD_WATCHDOG = 8,
    /// The deadline has passed and nothing of the service is alive.
    CONTINUITY_GUARD_FENCED = 16,
    /// The deadline has passed and something of the service still is.
    CONTINUITY_GUARD_FENCING = 32,
};

struct continuity_guard_answer {
    uint32_t sequence;
    uint32_t flags;
    /// Processes killed since the guard was started.
    uint32_t killed;
    uint32_t reserved;
};
