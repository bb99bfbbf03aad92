#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t continuity_monotonic_ns(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// MARK: Starting a child

static int spawn_actions(posix_spawn_file_actions_t *actions, int socket) {
    int failure = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    if (failure == 0) {
        failure = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
    }
    if (failure == 0) failure = posix_spawn_file_actions_adddup2(actions, socket, 3);
    if (failure == 0) failure = posix_spawn_file_actions_addclosefrom_np(actions, 4);
    return failure;
}

static int spawn_attributes(posix_spawnattr_t *attributes) {
    // A thread of the caller may block or ignore signals; the child starts with none of that.
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failure = posix_spawnattr_setsigmask(attributes, &none);
    if (failure == 0) failure = posix_spawnattr_setsigdefault(attributes, &all);
    if (failure == 0) {
        failure = posix_spawnattr_setflags(
            attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    return failure;
}

static int spawn(char *const arguments[], int socket, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure != 0) return failure;
    failure = posix_spawnattr_init(&attributes);
    if (failure != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return failure;
    }
    failure = spawn_actions(&actions, socket);
    if (failure == 0) failure = spawn_attributes(&attributes);
    if (failure == 0) {
        // Symbols are bound once, at the start, and not anew in each process that it forks.
        char *environment[] = {(char *)"LD_BIND_NOW=1", NULL};
        failure =
            posix_spawn(pid, arguments[0], &actions, &attributes, arguments, environment);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

int continuity_spawn_with_socket(
    const char *path, const char *argument, int *socket, pid_t *pid
) {
    char *arguments[] = {(char *)path, (char *)"3", (char *)argument, NULL};
    return continuity_spawn_program_with_socket(arguments, socket, pid);
}

int continuity_spawn_program_with_socket(
    char *const arguments[], int *socket, pid_t *pid
) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errno;
    int failure = spawn(arguments, ends[1], pid);
    close(ends[1]);
    if (failure != 0) {
        close(ends[0]);
        return failure;
    }
    *socket = ends[0];
    return 0;
}

void continuity_kill_and_reap(pid_t pid) {
    if (pid <= 0) return;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
}

// MARK: Waiting

/// Waits until `socket` is ready for `events`.
static int wait_ready(int socket, short events, int64_t deadline_ns) {
    for (;;) {
        int64_t left_ns = deadline_ns - continuity_monotonic_ns();
        if (left_ns < 0) left_ns = 0;
        struct timespec left = {
            .tv_sec = (time_t)(left_ns / 1000000000), .tv_nsec = (long)(left_ns % 1000000000)};
        struct pollfd watched = {.fd = socket, .events = events};
        int ready = ppoll(&watched, 1, &left, NULL);
        if (ready > 0) return CONTINUITY_IO_DONE;
        if (ready == 0) return CONTINUITY_IO_TIMEOUT;
        if (errno != EINTR) return CONTINUITY_IO_FAILED;
    }
}

/// What a failed transfer without waiting means: 0 is "try again".
static int classify(ssize_t moved) {
    if (moved == 0) return CONTINUITY_IO_CLOSED;
    switch (errno) {
    case EAGAIN:
    case EINTR: return CONTINUITY_IO_DONE;
    case EPIPE:
    case ECONNRESET: return CONTINUITY_IO_CLOSED;
    default: return CONTINUITY_IO_FAILED;
    }
}

int continuity_read_some(
    int socket, void *bytes, size_t capacity, size_t *length, int64_t deadline_ns
) {
    *length = 0;
    for (;;) {
        // Who reads has just asked, so there is nothing yet: to look first would be in vain.
        int result = wait_ready(socket, POLLIN, deadline_ns);
        if (result != CONTINUITY_IO_DONE) return result;
        ssize_t got = recv(socket, bytes, capacity, MSG_DONTWAIT);
        if (got > 0) {
            *length = (size_t)got;
            return CONTINUITY_IO_DONE;
        }
        result = classify(got);
        if (result != CONTINUITY_IO_DONE) return result;
    }
}

int continuity_write_exact(int socket, const void *bytes, size_t length, int64_t deadline_ns) {
    const char *from = bytes;
    while (length > 0) {
        ssize_t put = send(socket, from, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put > 0) {
            from += put;
            length -= (size_t)put;
            continue;
        }
        int result = classify(put);
        if (result == CONTINUITY_IO_DONE) result = wait_ready(socket, POLLOUT, deadline_ns);
        if (result != CONTINUITY_IO_DONE) return result;
    }
    return CONTINUITY_IO_DONE;
}

// MARK: Packets with descriptors

int continuity_send_packet(int socket, const void *bytes, size_t length) {
    ssize_t sent = send(socket, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent == (ssize_t)length) return CONTINUITY_IO_DONE;
    return errno == EAGAIN ? CONTINUITY_IO_TIMEOUT : classify(-1);
}

static void take_descriptors(struct msghdr *packet, int descriptors[2]) {
    for (struct cmsghdr *part = CMSG_FIRSTHDR(packet); part != NULL;
         part = CMSG_NXTHDR(packet, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t at = 0; at < count && at < 2; at++) {
            memcpy(&descriptors[at], CMSG_DATA(part) + at * sizeof(int), sizeof(int));
        }
    }
}

int continuity_receive_packet(
    int socket, void *bytes, size_t capacity, size_t *length, int descriptors[2],
    int64_t deadline_ns
) {
    descriptors[0] = descriptors[1] = -1;
    for (;;) {
        int ready = wait_ready(socket, POLLIN, deadline_ns);
        if (ready != CONTINUITY_IO_DONE) return ready;
        struct iovec part = {.iov_base = bytes, .iov_len = capacity};
        // Room for exactly two descriptors: the kernel drops what does not fit.
        union {
            struct cmsghdr aligned;
            char bytes[CMSG_SPACE(2 * sizeof(int))];
        } attached;
        struct msghdr packet = {
            .msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = attached.bytes,
            .msg_controllen = sizeof attached.bytes,
        };
        ssize_t got = recvmsg(socket, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (got > 0) {
            take_descriptors(&packet, descriptors);
            *length = (size_t)got;
            return CONTINUITY_IO_DONE;
        }
        int result = classify(got);
        if (result != CONTINUITY_IO_DONE) return result;
    }
}

// MARK: Process descriptors

int continuity_pidfd_kill(int pidfd) {
    return syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0 ? 0 : errno;
}

int continuity_pidfd_ended(int pidfd) {
    struct pollfd watched = {.fd = pidfd, .events = POLLIN};
    return poll(&watched, 1, 0) > 0;
}
