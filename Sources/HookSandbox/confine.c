#include "confine.h"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "landlock.h"

enum {
    ZYGOTE_FDS_MAX = 1024,
    /// Above the largest memory budget that a manifest may ask for (256 MiB) plus the program.
    WORKER_ADDRESS_SPACE_BYTES = 512 * 1024 * 1024,
    /// A backstop behind the processor timer of each invocation, whose ceiling is 10 s.
    WORKER_CPU_S = 12,
};

static bool limit(int resource, rlim_t value) {
    const struct rlimit bound = {.rlim_cur = value, .rlim_max = value};
    return setrlimit(resource, &bound) == 0;
}

static bool drop_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    return syscall(SYS_capset, &header, none) == 0;
}

uint64_t confine_zygote(void) {
    uint64_t layers = 0;
    clearenv();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) layers |= LAYER_NO_NEW_PRIVILEGES;
    if (unshare(CLONE_NEWUSER) == 0) layers |= LAYER_USER_NAMESPACE;
    // Inside its own user namespace, or as root, the zygote may leave the network too.
    if (unshare(CLONE_NEWNET) == 0) layers |= LAYER_NETWORK_NAMESPACE;
    if (landlock_confine() > 0) layers |= LAYER_LANDLOCK;
    if (drop_capabilities()) layers |= LAYER_NO_CAPABILITIES;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0) layers |= LAYER_NOT_DUMPABLE;
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, ZYGOTE_FDS_MAX);
    return layers;
}

/// The whole of what a worker may ask of the kernel.
static bool add_rules(scmp_filter_ctx filter) {
    static const int freely[] = {
        SCMP_SYS(brk),        SCMP_SYS(munmap),        SCMP_SYS(mremap), SCMP_SYS(madvise),
        SCMP_SYS(exit_group), SCMP_SYS(clock_gettime), SCMP_SYS(exit),
    };
    bool ok = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0;
    for (size_t at = 0; at < sizeof freely / sizeof freely[0]; at++) {
        ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, freely[at], 0) == 0;
    }
    const struct scmp_arg_cmp own_socket = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = WORKER_FD};
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(read), 1, own_socket) == 0;
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, own_socket) == 0;
    // Memory, but none that can be executed.
    const struct scmp_arg_cmp no_code = {
        .arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0};
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_code) == 0;
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_code) == 0;
    // The processor budget is known only with the request.
    const struct scmp_arg_cmp processor = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = ITIMER_PROF};
    return ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(setitimer), 1, processor) == 0;
}

/// libseccomp writes the program to a descriptor; read it back, so that a worker loads it with one
/// system call instead of compiling it anew.
static bool export_program(scmp_filter_ctx filter, struct sock_fprog *program) {
    int file = memfd_create("filter", MFD_CLOEXEC);
    if (file < 0) return false;
    struct stat size;
    bool ok = seccomp_export_bpf(filter, file) == 0 && fstat(file, &size) == 0 &&
        size.st_size > 0 && size.st_size % (off_t)sizeof(struct sock_filter) == 0;
    if (ok) {
        size_t bytes = (size_t)size.st_size;
        program->filter = malloc(bytes);
        program->len = (unsigned short)(bytes / sizeof(struct sock_filter));
        ok = program->filter != NULL && bytes / sizeof(struct sock_filter) <= BPF_MAXINSNS &&
            pread(file, program->filter, bytes, 0) == (ssize_t)bytes;
    }
    close(file);
    return ok;
}

bool confine_compile_filter(struct sock_fprog *filter) {
    scmp_filter_ctx rules = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (rules == NULL) return false;
    bool ok = add_rules(rules) && export_program(rules, filter);
    seccomp_release(rules);
    return ok;
}

void confine_worker_unfiltered(pid_t zygote) {
    sigset_t none;
    sigemptyset(&none);
    bool ok = prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
    // The zygote may have died before the line above.
    ok = ok && getppid() == zygote;
    ok = ok && sigprocmask(SIG_SETMASK, &none, NULL) == 0;
    // Three descriptors are not worth keeping: nothing here reads or prints.
    ok = ok && close_range(0, WORKER_FD - 1, 0) == 0;
    ok = ok && close_range(WORKER_FD + 1, ~0u, 0) == 0;
    ok = ok && limit(RLIMIT_CPU, WORKER_CPU_S) && limit(RLIMIT_AS, WORKER_ADDRESS_SPACE_BYTES) &&
        limit(RLIMIT_NOFILE, 0) && limit(RLIMIT_NPROC, 0) && limit(RLIMIT_FSIZE, 0) &&
        limit(RLIMIT_CORE, 0);
    if (!ok) _exit(EXIT_NOT_CONFINED);
}

void confine_worker(const struct sock_fprog *filter, pid_t zygote) {
    confine_worker_unfiltered(zygote);
    // no_new_privs is inherited; without it the filter would be refused here.
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0) != 0) _exit(EXIT_NOT_CONFINED);
}

bool confine_cpu_timer(uint64_t cpu_ms) {
    // ITIMER_PROF counts the processor time of the process; SIGPROF's default action ends it, and
    // serve reads that signal as the limit `cpu`.
    struct itimerval timer = {
        .it_value = {
            .tv_sec = (time_t)(cpu_ms / 1000u),
            .tv_usec = (suseconds_t)(cpu_ms % 1000u) * 1000,
        },
    };
    return setitimer(ITIMER_PROF, &timer, NULL) == 0;
}
