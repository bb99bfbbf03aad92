// Sockets, descriptors and child processes, with every wait bounded by a deadline.
//
// Deadlines are nanoseconds of CLOCK_MONOTONIC, as `continuity_monotonic_ns` gives them.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    CONTINUITY_IO_DONE = 0,
    /// The other end is closed.
    CONTINUITY_IO_CLOSED = 1,
    /// The deadline passed first.
    CONTINUITY_IO_TIMEOUT = 2,
    /// Anything else; `errno` tells.
    CONTINUITY_IO_FAILED = 3,
};

int64_t continuity_monotonic_ns(void);

/// Starts `path` with no environment but `LD_BIND_NOW=1`, and one end of a SOCK_SEQPACKET pair as descriptor 3.
/// Its arguments are "3" and `argument`; standard input and output are /dev/null; it inherits
/// standard error and nothing else. Returns 0 or an errno value. The caller owns `*socket` and
/// must reap `*pid`.
int continuity_spawn_with_socket(
    const char *path, const char *argument, int *socket, pid_t *pid);

/// The same with all arguments as they shall be, the program's path first, NULL last.
int continuity_spawn_program_with_socket(char *const arguments[], int *socket, pid_t *pid);

/// Receives one packet of at most `capacity` bytes, with up to two descriptors attached (close on
/// exec; -1 where there is none). `*length` is the length of the packet.
int continuity_receive_packet(
    int socket, void *bytes, size_t capacity, size_t *length, int descriptors[2],
    int64_t deadline_ns);

/// Sends one packet without waiting.
int continuity_send_packet(int socket, const void *bytes, size_t length);

/// Waits for bytes on a stream socket and reads what is there, at most `capacity`; `*length` says
/// how much, at least 1 when this is CONTINUITY_IO_DONE.
int continuity_read_some(
    int socket, void *bytes, size_t capacity, size_t *length, int64_t deadline_ns);

/// Writes all `length` bytes to a stream socket.
int continuity_write_exact(int socket, const void *bytes, size_t length, int64_t deadline_ns);

/// Kills the process behind a pidfd. 0, or an errno value (ESRCH: it is gone already).
int continuity_pidfd_kill(int pidfd);

/// 1 when the process behind a pidfd has ended, else 0.
int continuity_pidfd_ended(int pidfd);

/// Kills the child `pid` and waits for its end. `pid` must be a child that was not reaped yet.
void continuity_kill_and_reap(pid_t pid);
