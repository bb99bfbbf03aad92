#include "selftest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"
#include "deeds.h"
#include "landlock.h"

enum {
    /// Above RLIMIT_AS of a worker.
    TOO_MUCH_MEMORY_BYTES = 600 * 1024 * 1024,
    DESCRIPTORS_TRIED = 1024,
    UNMAPPED_USER = 65534,
    PROBE_CPU_MS = 2,
    PROBE_CPU_END_MS = 2000,
    PROBE_DEATH_END_MS = 2000,
};

/// A child of this process that runs `body` and never returns.
static pid_t start(void (*body)(const void *), const void *context) {
    pid_t child = fork();
    if (child != 0) return child;
    body(context);
    _exit(EXIT_FAILURE);
}

static int wait_for(pid_t child) {
    int status = -1;
    if (child < 0) return status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return status;
}

// MARK: Layers behind the filter

static bool is_refused(long result) { return result < 0; }

static bool try_files(void) {
    // For each a different right; EACCES is Landlock's answer.
    bool read_refused = is_refused(open("/", O_RDONLY | O_DIRECTORY)) && errno == EACCES;
    bool file_refused = is_refused(open("/proc/self/status", O_RDONLY)) && errno == EACCES;
    bool make_refused = is_refused(mkdir("/tmp/continuity-sandbox-probe", 0700)) && errno == EACCES;
    return read_refused && file_refused && make_refused;
}

static bool try_network(void) {
    // In a network namespace of its own even the loopback interface is down.
    int datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (datagrams < 0) return true;
    struct sockaddr_in self = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool refused = is_refused(connect(datagrams, (struct sockaddr *)&self, sizeof self));
    close(datagrams);
    return refused;
}

static bool try_user(void) { return geteuid() == UNMAPPED_USER && is_refused(setuid(0)); }

static bool try_privileges(void) {
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
        is_refused(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static bool try_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct have[2] = {{0}, {0}};
    if (syscall(SYS_capget, &header, have) != 0) return false;
    bool none = true;
    for (size_t at = 0; at < 2; at++) {
        none = none && have[at].effective == 0 && have[at].permitted == 0;
    }
    struct __user_cap_data_struct wanted[2] = {{1, 1, 0}, {0}};
    return none && is_refused(syscall(SYS_capset, &header, wanted)) && is_refused(chroot("/"));
}

static bool try_memory_of(pid_t other) {
    char byte;
    struct iovec here = {.iov_base = &byte, .iov_len = 1};
    // The same program, so the same address is mapped over there.
    struct iovec there = {.iov_base = (void *)(uintptr_t)&try_memory_of, .iov_len = 1};
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
        is_refused(process_vm_readv(other, &here, 1, &there, 1, 0));
}

static bool try_limits(void) {
    const struct rlimit more = {.rlim_cur = 64, .rlim_max = 64};
    void *large = mmap(
        NULL, TOO_MUCH_MEMORY_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct rlimit processes = {.rlim_max = 1};
    return large == MAP_FAILED && is_refused(dup(WORKER_FD)) &&
        is_refused(setrlimit(RLIMIT_NOFILE, &more)) &&
        getrlimit(RLIMIT_NPROC, &processes) == 0 && processes.rlim_max == 0;
}

static bool try_descriptors(void) {
    for (int fd = 0; fd < DESCRIPTORS_TRIED; fd++) {
        if (fd != WORKER_FD && fcntl(fd, F_GETFD) >= 0) return false;
    }
    return true;
}

struct probe {
    pid_t zygote;
    /// Shared with the child.
    uint64_t *held;
};

static void try_layers(const void *context) {
    const struct probe *probe = context;
    confine_worker_unfiltered(probe->zygote);
    int parent_death = 0;
    uint64_t held = 0;
    held |= try_descriptors() ? LAYER_DESCRIPTORS : 0;
    held |= try_user() ? LAYER_USER_NAMESPACE : 0;
    held |= try_privileges() ? LAYER_NO_NEW_PRIVILEGES : 0;
    held |= try_capabilities() ? LAYER_NO_CAPABILITIES : 0;
    held |= try_memory_of(probe->zygote) ? LAYER_NOT_DUMPABLE : 0;
    held |= try_limits() ? LAYER_RLIMITS : 0;
    held |= environ == NULL || *environ == NULL ? LAYER_ENVIRONMENT : 0;
    bool signalled = prctl(PR_GET_PDEATHSIG, &parent_death, 0, 0, 0) == 0;
    held |= signalled && parent_death == SIGKILL ? LAYER_PARENT_DEATH : 0;
    *probe->held |= held;
    _exit(EXIT_SUCCESS);
}

/// What the limit on descriptors would hide: these two are tried as the zygote, which a worker
/// inherits them from.
static void try_inherited(const void *context) {
    const struct probe *probe = context;
    *probe->held |= (try_files() ? LAYER_LANDLOCK : 0);
    *probe->held |= (try_network() ? LAYER_NETWORK_NAMESPACE : 0);
    _exit(EXIT_SUCCESS);
}

// MARK: Layers that take time to show

static int64_t now_ms(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct spin {
    const struct sock_fprog *filter;
    pid_t zygote;
};

static void spin(const void *context) {
    const struct spin *spin = context;
    confine_worker(spin->filter, spin->zygote);
    if (!confine_cpu_timer(PROBE_CPU_MS)) _exit(EXIT_FAILURE);
    int64_t end = now_ms() + PROBE_CPU_END_MS;
    while (now_ms() < end) {}
    _exit(EXIT_SUCCESS);
}

static bool timer_ends(const struct sock_fprog *filter) {
    const struct spin context = {.filter = filter, .zygote = getpid()};
    int status = wait_for(start(spin, &context));
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF;
}

/// A parent that dies while its confined child waits. `context` is the end of a socket pair whose
/// last copy closes when that child is gone.
static void die_as_parent(const void *context) {
    const int *ends = context;
    pid_t self = getpid();
    close(ends[0]);
    pid_t child = fork();
    if (child == 0) {
        if (ends[1] != WORKER_FD && dup2(ends[1], WORKER_FD) != WORKER_FD) _exit(EXIT_FAILURE);
        confine_worker_unfiltered(self);
        char byte = 1;
        if (write(WORKER_FD, &byte, 1) != 1) _exit(EXIT_FAILURE);
        // Nobody ever writes: only the signal ends this.
        for (;;) (void)!read(WORKER_FD, &byte, 1);
    }
    // The child has said that it is confined once the zygote says so here.
    char byte;
    (void)!read(ends[1], &byte, 1);
    _exit(EXIT_SUCCESS);
}

static bool readable(int fd) {
    struct pollfd watched = {.fd = fd, .events = POLLIN};
    return poll(&watched, 1, PROBE_DEATH_END_MS) > 0;
}

static bool death_follows(void) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    pid_t parent = start(die_as_parent, ends);
    close(ends[1]);
    char byte = 1;
    bool confined = parent > 0 && readable(ends[0]) && read(ends[0], &byte, 1) == 1;
    if (parent > 0) kill(parent, SIGKILL);
    (void)wait_for(parent);
    bool gone = confined && readable(ends[0]) && read(ends[0], &byte, 1) == 0;
    close(ends[0]);
    return gone;
}

// MARK: The filter

struct attempt {
    const struct sock_fprog *filter;
    pid_t zygote;
    void (*deed)(void);
};

static void try_deed(const void *context) {
    const struct attempt *attempt = context;
    confine_worker(attempt->filter, attempt->zygote);
    attempt->deed();
    _exit(EXIT_SUCCESS);
}

static void nothing(void) {}

/// The wait status of a confined child that does `deed` and then ends well.
static int try_confined(const struct sock_fprog *filter, void (*deed)(void)) {
    const struct attempt attempt = {.filter = filter, .zygote = getpid(), .deed = deed};
    return wait_for(start(try_deed, &attempt));
}

static bool is_stopped(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS; }

static bool filter_works(const struct sock_fprog *filter) {
    int harmless = try_confined(filter, nothing);
    return WIFEXITED(harmless) && WEXITSTATUS(harmless) == EXIT_SUCCESS &&
        is_stopped(try_confined(filter, deeds[0].deed));
}

// MARK: Together

/// Layers that each worker applies itself, or does not run.
static const uint64_t workers_own = LAYER_SECCOMP | LAYER_RLIMITS | LAYER_CPU_TIMER |
    LAYER_PARENT_DEATH | LAYER_DESCRIPTORS | LAYER_ENVIRONMENT;

uint64_t selftest_layers(uint64_t applied, const struct sock_fprog *filter) {
    uint64_t *held = mmap(
        NULL, sizeof *held, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (held == MAP_FAILED) return 0;
    const struct probe probe = {.zygote = getpid(), .held = held};
    (void)wait_for(start(try_inherited, &probe));
    (void)wait_for(start(try_layers, &probe));
    uint64_t layers = *held & (applied | workers_own);
    munmap(held, sizeof *held);
    if (filter == NULL) return layers;
    if (filter_works(filter)) layers |= LAYER_SECCOMP;
    if (timer_ends(filter)) layers |= LAYER_CPU_TIMER;
    return layers;
}

static const struct {
    uint64_t layer;
    const char *name;
} names[] = {
    {LAYER_SECCOMP, "seccomp"},
    {LAYER_LANDLOCK, "landlock"},
    {LAYER_USER_NAMESPACE, "user namespace"},
    {LAYER_NETWORK_NAMESPACE, "network namespace"},
    {LAYER_NO_NEW_PRIVILEGES, "no_new_privs"},
    {LAYER_NO_CAPABILITIES, "no capabilities"},
    {LAYER_NOT_DUMPABLE, "not dumpable"},
    {LAYER_RLIMITS, "rlimits"},
    {LAYER_CPU_TIMER, "cpu timer"},
    {LAYER_PARENT_DEATH, "parent-death signal"},
    {LAYER_DESCRIPTORS, "closed descriptors"},
    {LAYER_ENVIRONMENT, "empty environment"},
};

int selftest_run(void) {
    struct sock_fprog filter;
    uint64_t applied = confine_zygote();
    bool compiled = confine_compile_filter(&filter);
    uint64_t layers = selftest_layers(applied, compiled ? &filter : NULL);
    if (!death_follows()) layers &= ~(uint64_t)LAYER_PARENT_DEATH;
    for (size_t at = 0; at < sizeof names / sizeof names[0]; at++) {
        bool active = (layers & names[at].layer) != 0;
        printf("layer\t%s\t%s\t", names[at].name, active ? "active" : "missing");
        if (names[at].layer == LAYER_LANDLOCK && active) printf("version %d", landlock_version());
        putchar('\n');
    }
    if ((layers & LAYER_SECCOMP) == 0) return EXIT_FAILURE;
    int result = EXIT_SUCCESS;
    for (size_t at = 0; at < deed_count; at++) {
        fflush(stdout);
        bool stopped = is_stopped(try_confined(&filter, deeds[at].deed));
        printf("attempt\t%s\t%s\n", deeds[at].name, stopped ? "killed" : "ALLOWED");
        if (!stopped) result = EXIT_FAILURE;
    }
    return result;
}
