// What the zygote and its workers may do, taken away before any script is near.
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/// Layers that are active, as serve reports them. The numbers are part of the control protocol.
enum layer {
    LAYER_SECCOMP = 1 << 0,
    LAYER_USER_NAMESPACE = 1 << 1,
    LAYER_NETWORK_NAMESPACE = 1 << 2,
    LAYER_NO_NEW_PRIVILEGES = 1 << 3,
    LAYER_NO_CAPABILITIES = 1 << 4,
    LAYER_NOT_DUMPABLE = 1 << 5,
};

enum {
    /// The worker's socket, so that the filter can name it.
    WORKER_FD = 3,
    /// A worker that could not confine itself ends with this.
    EXIT_NOT_CONFINED = 72,
};

/// Confines the zygote. Returns the layers that took effect, without `LAYER_SECCOMP`.
uint64_t confine_zygote(void);

/// Compiles the workers' system call filter. `false`: seccomp is not available.
bool confine_compile_filter(struct sock_fprog *filter);

/// Confines this process as a worker on `WORKER_FD`, for good. Ends the process when it cannot.
void confine_worker(const struct sock_fprog *filter, pid_t zygote);
