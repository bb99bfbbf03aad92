#include "zygote.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"
#include "rehearsal.h"
#include "selftest.h"
#include "worker.h"

enum {
    /// How soon a fork that failed is tried again.
    RETRY_MS = 50,
};

struct child {
    pid_t pid;
    uint32_t worker;
};

struct zygote {
    int control_fd;
    int signal_fd;
    pid_t pid;
    struct sock_fprog filter;
    struct child children[WORKERS_MAX];
    unsigned alive;
    unsigned wanted;
    uint32_t last_worker;
};

static bool send_message(
    const struct zygote *zygote, const struct control_message *message, const int *fds, size_t count
) {
    struct iovec part = {.iov_base = (void *)message, .iov_len = sizeof *message};
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } attached = {0};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        packet.msg_control = attached.bytes;
        packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&packet);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(zygote->control_fd, &packet, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof *message;
}

_Noreturn static void become_worker(const struct zygote *zygote, int socket) {
    if (socket != WORKER_FD && dup2(socket, WORKER_FD) != WORKER_FD) _exit(EXIT_NOT_CONFINED);
    confine_worker(&zygote->filter, zygote->pid);
    worker_run(WORKER_FD);
}

/// Forks one worker and hands it to serve. `false`: not now, try again later.
static bool spawn_worker(struct zygote *zygote) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        become_worker(zygote, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return false;
    }
    struct control_message message = {
        .kind = CONTROL_WORKER,
        .worker = ++zygote->last_worker,
        .value = pid,
    };
    zygote->children[zygote->alive++] = (struct child){.pid = pid, .worker = message.worker};
    // The child cannot be reaped before this: only the loop below reaps.
    int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    int handed[2] = {ends[0], pid_fd};
    bool sent = pid_fd >= 0 && send_message(zygote, &message, handed, 2);
    if (pid_fd >= 0) close(pid_fd);
    // If serve did not get it, the worker reads the end of its socket here and goes away.
    close(ends[0]);
    return sent;
}

static void report_end(struct zygote *zygote, pid_t pid, int status, const struct rusage *usage) {
    for (unsigned at = 0; at < zygote->alive; at++) {
        if (zygote->children[at].pid != pid) continue;
        struct control_message message = {
            .kind = CONTROL_ENDED,
            .worker = zygote->children[at].worker,
            .value = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status),
            .amount = (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000u +
                (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec),
        };
        zygote->children[at] = zygote->children[--zygote->alive];
        (void)send_message(zygote, &message, NULL, 0);
        return;
    }
}

static void reap(struct zygote *zygote) {
    struct signalfd_siginfo drained;
    while (read(zygote->signal_fd, &drained, sizeof drained) > 0) {}
    for (;;) {
        int status = 0;
        struct rusage usage = {0};
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        if (pid <= 0) return;
        report_end(zygote, pid, status, &usage);
    }
}

/// Takes serve's orders. `false`: serve is gone.
static bool take_orders(struct zygote *zygote) {
    char orders[WORKERS_MAX];
    ssize_t count = recv(zygote->control_fd, orders, sizeof orders, MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    zygote->wanted += (unsigned)count;
    if (zygote->wanted > WORKERS_MAX) zygote->wanted = WORKERS_MAX;
    return true;
}

/// SwiftPM links every program with Swift's runtime, which catches SIGSEGV and its like to print a
/// backtrace. A worker's crash must be a plain death by that signal.
static void forget_handlers(void) {
    for (int number = 1; number < NSIG; number++) (void)signal(number, SIG_DFL);
}

static bool open_signals(struct zygote *zygote) {
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    // A write to a socket that serve closed must fail, not kill.
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &watched, NULL) != 0) return false;
    zygote->signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    return zygote->signal_fd >= 0;
}

static void run_loop(struct zygote *zygote) {
    for (;;) {
        bool retry = false;
        while (zygote->wanted > 0 && zygote->alive < WORKERS_MAX) {
            if (!spawn_worker(zygote)) {
                retry = true;
                break;
            }
            zygote->wanted -= 1;
        }
        struct pollfd watched[2] = {
            {.fd = zygote->control_fd, .events = POLLIN},
            {.fd = zygote->signal_fd, .events = POLLIN},
        };
        if (poll(watched, 2, retry ? RETRY_MS : -1) < 0 && errno != EINTR) return;
        if (watched[1].revents != 0) reap(zygote);
        if (watched[0].revents != 0 && !take_orders(zygote)) return;
    }
}

int zygote_run(int control_fd, unsigned pool) {
    static struct zygote zygote;
    zygote.control_fd = control_fd;
    forget_handlers();
    if (control_fd > 3) (void)close_range(3, (unsigned)control_fd - 1, 0);
    (void)close_range((unsigned)control_fd + 1, ~0u, 0);
    zygote.wanted = pool < WORKERS_MAX ? pool : WORKERS_MAX;
    // Signals that a terminal sends to serve's group are not for the sandbox: it ends with its
    // control socket. (PR_SET_PDEATHSIG would be wrong here: it follows serve's *thread*.)
    (void)setsid();
    struct control_message hello = {.kind = CONTROL_HELLO};
    uint64_t applied = confine_zygote();
    zygote.pid = getpid();
    bool compiled = confine_compile_filter(&zygote.filter);
    // Once here too, so that every worker inherits what it resolves and allocates.
    rehearse();
    hello.amount = selftest_layers(applied, compiled ? &zygote.filter : NULL);
    if (!open_signals(&zygote) || !send_message(&zygote, &hello, NULL, 0)) return EXIT_FAILURE;
    // Without the filter no worker is made; serve says why it refuses to start.
    if ((hello.amount & LAYER_SECCOMP) == 0) return EXIT_FAILURE;
    run_loop(&zygote);
    return EXIT_SUCCESS;
}
