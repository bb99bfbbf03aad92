// The process that all workers are forked from.
//
// Control protocol, over a SOCK_SEQPACKET pair whose other end serve holds. serve sends messages
// of any length; each byte asks for one more worker. The zygote sends `struct control_message`:
// one `hello`, then a `worker` for each fork, with the worker's socket and pidfd attached, and an
// `ended` for each worker that is gone. It ends when serve closes its end.
#pragma once

#include <stdint.h>

enum control_kind {
    CONTROL_HELLO = 1,
    CONTROL_WORKER = 2,
    CONTROL_ENDED = 3,
};

/// In the byte order of the machine: both ends run on it.
struct control_message {
    uint32_t kind;
    /// Counts the workers of this zygote from 1, and is never used twice.
    uint32_t worker;
    /// `worker`: the process id. `ended`: the exit status, or minus the signal.
    int32_t value;
    uint32_t reserved;
    /// `ended`: processor time. `hello`: the active layers (see confine.h).
    uint64_t amount;
};

enum {
    /// How many workers may be alive at once.
    WORKERS_MAX = 128,
};

/// Runs until serve closes `control_fd`. Returns the exit status.
int zygote_run(int control_fd, unsigned pool);
