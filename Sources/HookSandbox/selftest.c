#include "selftest.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"

static void nothing(void) {}
static void open_file(void) { (void)!open("/", O_RDONLY); }
static void open_socket(void) { (void)!socket(AF_INET, SOCK_STREAM, 0); }
static void run_program(void) {
    char *none[] = {NULL};
    execve("/bin/true", none, none);
}
static void fork_process(void) { (void)!fork(); }
static void kill_parent(void) { kill(getppid(), 0); }
static void be_traced(void) { ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static void read_other(void) { char byte; (void)!read(0, &byte, 1); }
static void new_namespace(void) { syscall(SYS_unshare, 0); }
static void wall_timer(void) { alarm(1); }
static void map_code(void) {
    (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static const struct {
    const char *name;
    void (*deed)(void);
} deeds[] = {
    {"open", open_file},         {"socket", open_socket},       {"execve", run_program},
    {"fork", fork_process},      {"kill", kill_parent},         {"ptrace", be_traced},
    {"read-other-fd", read_other}, {"unshare", new_namespace},  {"alarm", wall_timer},
    {"mmap-exec", map_code},
};

/// The wait status of a confined child that does `deed` and then ends well.
static int try_confined(const struct sock_fprog *filter, void (*deed)(void)) {
    pid_t self = getpid();
    pid_t child = fork();
    if (child < 0) return -1;
    if (child == 0) {
        confine_worker(filter, self);
        deed();
        _exit(EXIT_SUCCESS);
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0) {}
    return status;
}

static bool is_stopped(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS; }

bool selftest_filter_works(const struct sock_fprog *filter) {
    int harmless = try_confined(filter, nothing);
    return WIFEXITED(harmless) && WEXITSTATUS(harmless) == EXIT_SUCCESS &&
        is_stopped(try_confined(filter, open_file));
}

int selftest_run(void) {
    struct sock_fprog filter;
    (void)confine_zygote();
    if (!confine_compile_filter(&filter)) {
        puts("seccomp: not available");
        return EXIT_FAILURE;
    }
    int result = selftest_filter_works(&filter) ? EXIT_SUCCESS : EXIT_FAILURE;
    for (size_t at = 0; at < sizeof deeds / sizeof deeds[0]; at++) {
        bool stopped = is_stopped(try_confined(&filter, deeds[at].deed));
        printf("%s: %s\n", deeds[at].name, stopped ? "killed" : "ALLOWED");
        if (!stopped) result = EXIT_FAILURE;
    }
    return result;
}
