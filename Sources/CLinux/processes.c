#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int continuity_pidfd_open(pid_t process) {
    return (int)syscall(SYS_pidfd_open, process, 0U);
}

int continuity_pidfd_send_signal(int descriptor, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, descriptor, signal, NULL, 0U);
}

int continuity_adopt_orphans(void) {
    return prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL);
}

int continuity_reap(pid_t process) {
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)process, &info, WEXITED | WNOHANG) != 0) {
        return 0;
    }
    return info.si_pid == process ? 1 : 0;
}

int continuity_enter_network(const char *path) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return -1;
    }
    int result = setns(descriptor, CLONE_NEWNET);
    (void)close(descriptor);
    return result;
}

int continuity_memory_file(const char *name) {
    return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

int continuity_memory_file_freeze(int descriptor) {
    return fcntl(descriptor, F_ADD_SEALS, F_SEAL_GROW);
}

int64_t continuity_file_size(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 ? (int64_t)status.st_size : -1;
}

int64_t continuity_owner(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 ? (int64_t)status.st_uid : -1;
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec now = {0};
    // Cannot fail with a clock that every kernel we run on has.
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/// How long the machine was suspended since it started. It never shrinks, though the two clocks are
/// not read at the same moment.
static int64_t suspended_ns(void) {
    static _Atomic int64_t known;
    int64_t boot = clock_ns(CLOCK_BOOTTIME);
    // Read after the other, so this is never more than the truth, however long lies between.
    int64_t found = boot - clock_ns(CLOCK_MONOTONIC);
    int64_t before = atomic_load(&known);
    while (found > before && !atomic_compare_exchange_weak(&known, &before, found)) {
    }
    return found > before ? found : before;
}

int64_t continuity_boot_milliseconds(void) {
    return (clock_ns(CLOCK_MONOTONIC_RAW) + suspended_ns()) / 1000000;
}

void continuity_name_thread(const char *name) { (void)prctl(PR_SET_NAME, name, 0, 0, 0); }

int64_t continuity_slewed_boot_milliseconds(void) { return clock_ns(CLOCK_BOOTTIME) / 1000000; }

static int wait_connected(int descriptor, int64_t deadline_ms) {
    for (;;) {
        int64_t remaining_ms = deadline_ms - continuity_boot_milliseconds();
        if (remaining_ms < 0) {
            remaining_ms = 0;
        }
        struct pollfd entry = {.fd = descriptor, .events = POLLOUT, .revents = 0};
        int ready = poll(&entry, 1, (int)remaining_ms);
        if (ready == 0) {
            return ETIMEDOUT;
        }
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready < 0) {
            return errno;
        }
        int failure = 0;
        socklen_t length = sizeof failure;
        if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length) != 0) {
            return errno;
        }
        return failure;
    }
}

// Sends the question and waits for one byte, or for an orderly end: the kernel of a process that
// is stopped gives neither.
static int ask_once(
    int descriptor, const void *question, size_t length, int64_t deadline_ms) {
    // Fits any socket's buffer when it is new.
    if (send(descriptor, question, length, MSG_NOSIGNAL) != (ssize_t)length) {
        return errno != 0 ? errno : EIO;
    }
    for (;;) {
        int64_t remaining_ms = deadline_ms - continuity_boot_milliseconds();
        struct pollfd entry = {.fd = descriptor, .events = POLLIN, .revents = 0};
        int ready = poll(&entry, 1, remaining_ms < 0 ? 0 : (int)remaining_ms);
        if (ready == 0) {
            return ETIMEDOUT;
        }
        char answer;
        if (ready > 0 && recv(descriptor, &answer, 1, 0) >= 0) {
            return 0;
        }
        if (errno != EINTR && errno != EAGAIN) {
            return errno;
        }
    }
}

static int connect_once(
    const struct addrinfo *address, const void *question, size_t length, int64_t deadline_ms) {
    int descriptor = socket(
        address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (descriptor < 0) {
        return errno;
    }
    int failure = 0;
    if (connect(descriptor, address->ai_addr, address->ai_addrlen) != 0) {
        failure = errno == EINPROGRESS ? wait_connected(descriptor, deadline_ms) : errno;
    }
    if (failure == 0 && length > 0) {
        failure = ask_once(descriptor, question, length, deadline_ms);
    }
    (void)close(descriptor);
    return failure;
}

int continuity_tcp_probe(
    const char *host, const char *port, const void *question, size_t length, int timeout_ms) {
    int64_t deadline_ms = continuity_boot_milliseconds() + timeout_ms;
    struct addrinfo hints = {0};
    hints.ai_socktype = SOCK_STREAM;
    struct addrinfo *list = NULL;
    if (getaddrinfo(host, port, &hints, &list) != 0) {
        return EHOSTUNREACH;
    }
    int failure = EHOSTUNREACH;
    for (struct addrinfo *entry = list; entry != NULL && failure != 0; entry = entry->ai_next) {
        failure = connect_once(entry, question, length, deadline_ms);
    }
    freeaddrinfo(list);
    return failure;
}

// MARK: Processes that only wait to die

/// One line of /proc/…/status: `name` and its value. NULL: it is not there.
static const char *status_value(const char *text, const char *name) {
    size_t length = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, name, length) == 0) return line + length;
    }
    return NULL;
}

static bool has_kill(const char *value) {
    return value != NULL && (strtoull(value, NULL, 16) & (1ULL << (SIGKILL - 1))) != 0;
}

/// 1: it cannot act again; 0: it can; -1: it is gone.
static int task_is_doomed(int folder, const char *name) {
    char path[32], text[4096];
    if (snprintf(path, sizeof path, "%s/status", name) >= (int)sizeof path) return 0;
    int file = openat(folder, path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return errno == ENOENT || errno == ESRCH ? -1 : 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) return length < 0 && errno == ESRCH ? -1 : 0;
    text[length] = 0;
    const char *state = status_value(text, "State:\t");
    if (state == NULL) return 0;
    if (*state == 'Z' || *state == 'X') return 1;
    // Only in an uninterruptible sleep: what can run may be running its own code at this moment.
    if (*state != 'D') return 0;
    return has_kill(status_value(text, "SigPnd:\t")) || has_kill(status_value(text, "ShdPnd:\t"));
}

struct directory_entry {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

int continuity_kill_is_pending(const char *proc, pid_t process) {
    char path[512];
    if (snprintf(path, sizeof path, "%s/%d/task", proc, (int)process) >= (int)sizeof path) return 0;
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return 0;
    int doomed = 0, acting = 0;
    for (;;) {
        char buffer[4096] __attribute__((aligned(8)));
        long length = syscall(SYS_getdents64, folder, buffer, sizeof buffer);
        if (length < 0) acting++;
        if (length <= 0) break;
        for (long at = 0; at < length;) {
            const struct directory_entry *entry =
                (const struct directory_entry *)(const void *)(buffer + at);
            at += entry->length;
            if (entry->name[0] == '.') continue;
            int task = task_is_doomed(folder, entry->name);
            if (task == 1) doomed++;
            if (task == 0) acting++;
        }
    }
    close(folder);
    return doomed > 0 && acting == 0;
}
