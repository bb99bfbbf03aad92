// Processes as Linux describes them: descriptors instead of numbers that can be reused.
// Every function returns -1 and sets errno on failure, unless it says otherwise.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// A descriptor that becomes readable when the process ends, zombie or not. Close-on-exec.
int continuity_pidfd_open(pid_t process);

// Sends a signal to exactly the process that the descriptor was opened for.
int continuity_pidfd_send_signal(int descriptor, int signal);

// Makes orphaned descendants children of this process, which must then reap them.
int continuity_adopt_orphans(void);

// Takes the status of an ended child without blocking.
// Returns 1 when it was reaped, 0 when it still runs or is no child of this process.
int continuity_reap(pid_t process);

// Moves the calling thread, and those that it starts from now on, to the network namespace whose
// file stands at path.
int continuity_enter_network(const char *path);

// An anonymous file in memory. Close-on-exec; a duplicate of it is not.
int continuity_memory_file(const char *name);

// No one can make the memory file larger from now on.
int continuity_memory_file_freeze(int descriptor);

// The bytes in an open file.
int64_t continuity_file_size(int descriptor);

// The user id that owns a path, links followed.
int64_t continuity_owner(const char *path);

// Milliseconds since the machine started, counting the time it was suspended, at the hardware's own
// rate. CLOCK_BOOTTIME would be slewed: chrony corrects time by up to 8.3 %, and the margins between
// what a node and an orchestrator count are 10 %. So this is CLOCK_MONOTONIC_RAW, which nobody slews,
// and what CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC. Timers run on slewed clocks: set them short
// of the whole time and look again.
int64_t continuity_boot_milliseconds(void);

// Names the calling thread, for whoever looks at the process; 15 bytes of it at most are kept.
void continuity_name_thread(const char *name);

// CLOCK_BOOTTIME, as older agents kept instants.
int64_t continuity_slewed_boot_milliseconds(void);

// 1 when nothing of the process will run its own code again: each of its threads is dead, or sleeps
// uninterruptibly in the kernel with SIGKILL pending. Else 0, also when it is gone. proc is where
// the kernel tells of processes: /proc. Allocates nothing.
int continuity_kill_is_pending(const char *proc, pid_t process);

// Waits until a TCP connection to host and port stands, then closes it again.
// With a question of some bytes it is sent, and whoever listens must answer a byte or close the
// connection in order. host may be a name or a numeric address. Returns 0 or an errno value;
// ETIMEDOUT at the deadline, EHOSTUNREACH when the name does not resolve.
int continuity_tcp_probe(
    const char *host, const char *port, const void *question, size_t length, int timeout_ms);
