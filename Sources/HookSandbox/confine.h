// What the zygote and its workers may do, taken away before any script is near.
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/// Layers of confinement, as serve reports them. The numbers are part of the control protocol.
enum layer {
    LAYER_SECCOMP = 1 << 0,
    LAYER_USER_NAMESPACE = 1 << 1,
    LAYER_NETWORK_NAMESPACE = 1 << 2,
    LAYER_NO_NEW_PRIVILEGES = 1 << 3,
    LAYER_NO_CAPABILITIES = 1 << 4,
    LAYER_NOT_DUMPABLE = 1 << 5,
    LAYER_LANDLOCK = 1 << 6,
    LAYER_RLIMITS = 1 << 7,
    LAYER_CPU_TIMER = 1 << 8,
    LAYER_PARENT_DEATH = 1 << 9,
    LAYER_DESCRIPTORS = 1 << 10,
    LAYER_ENVIRONMENT = 1 << 11,
};

enum {
    /// The worker's socket, so that the filter can name it.
    WORKER_FD = 3,
    /// A worker that could not confine itself ends with this.
    EXIT_NOT_CONFINED = 72,
};

/// Confines the zygote as far as this machine allows. Returns the layers of the zygote that the
/// kernel says it applied; whether they hold is for selftest.h to find out.
uint64_t confine_zygote(void);

/// Compiles the workers' system call filter. `false`: seccomp is not available.
bool confine_compile_filter(struct sock_fprog *filter);

/// Confines this process as a worker on `WORKER_FD`, for good. Ends the process when it cannot.
void confine_worker(const struct sock_fprog *filter, pid_t zygote);

/// The same without the filter, so that a test reaches the layers behind it.
void confine_worker_unfiltered(pid_t zygote);

/// Starts the processor timer: the process is ended by SIGPROF after `cpu_ms` on a processor.
bool confine_cpu_timer(uint64_t cpu_ms);
