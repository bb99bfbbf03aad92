#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
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

int64_t continuity_boot_milliseconds(void) {
    struct timespec now = {0};
    // Cannot fail with a clock that every kernel we run on has.
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

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
