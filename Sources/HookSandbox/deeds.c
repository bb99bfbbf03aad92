#include "deeds.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "confine.h"

static char byte;

// Files
static void open_file(void) { (void)!open("/", O_RDONLY); }
static void open_by_handle(void) { syscall(SYS_open_by_handle_at, -1, NULL, 0); }
static void list_descriptors(void) { (void)fcntl(WORKER_FD, F_GETFD); }
static void read_other(void) { (void)!read(0, &byte, 1); }
static void write_other(void) { (void)!write(1, &byte, 1); }
static void read_vector(void) {
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    (void)!readv(WORKER_FD, &part, 1);
}
static void memory_file(void) { (void)!memfd_create("x", 0); }
static void duplicate(void) { (void)!dup(WORKER_FD); }
static void stat_file(void) { syscall(SYS_newfstatat, AT_FDCWD, "/", NULL, 0); }

// Network and other processes
static void open_socket(void) { (void)!socket(AF_INET, SOCK_STREAM, 0); }
static void send_descriptor(void) {
    struct msghdr packet = {0};
    (void)!sendmsg(WORKER_FD, &packet, 0);
}
static void receive_descriptor(void) {
    struct msghdr packet = {0};
    (void)!recvmsg(WORKER_FD, &packet, 0);
}
static void run_program(void) {
    char *none[] = {NULL};
    execve("/bin/true", none, none);
}
static void fork_process(void) { (void)!fork(); }
static void start_thread(void) { syscall(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, NULL, NULL, NULL, 0); }
static void clone_new(void) { syscall(SYS_clone3, NULL, 0); }
static void kill_parent(void) { syscall(SYS_kill, 1, 0); }
static void read_memory(void) { syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0); }
static void be_traced(void) { ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static void open_process(void) { syscall(SYS_pidfd_open, 1, 0); }

// The kernel's larger doors
static void new_namespace(void) { syscall(SYS_unshare, 0); }
static void enter_namespace(void) { syscall(SYS_setns, WORKER_FD, 0); }
static void mount_something(void) { syscall(SYS_mount, NULL, NULL, NULL, 0, NULL); }
static void load_program(void) { syscall(SYS_bpf, 0, NULL, 0); }
static void ring(void) { syscall(SYS_io_uring_setup, 1, NULL); }
static void fault_handler(void) { syscall(SYS_userfaultfd, 0); }
static void count_events(void) { syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0); }
static void keys(void) { syscall(SYS_keyctl, 0, 0, 0, 0, 0); }

// Its own bounds
static void raise_limit(void) {
    const struct rlimit more = {.rlim_cur = 64, .rlim_max = 64};
    (void)setrlimit(RLIMIT_NOFILE, &more);
}
static void outlive_parent(void) { prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0); }
static void become_dumpable(void) { prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static void catch_signal(void) { (void)signal(SIGPROF, SIG_IGN); }
static void block_signal(void) {
    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
}
static void wall_timer(void) {
    const struct itimerval timer = {.it_value = {.tv_sec = 1}};
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}
static void wait_long(void) { syscall(SYS_nanosleep, NULL, NULL); }
static void random_bytes(void) { syscall(SYS_getrandom, &byte, 1, 0); }

// Code of its own
static void map_code(void) {
    (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void make_code(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
static void make_keyed_code(void) { syscall(SYS_pkey_mprotect, NULL, 0, PROT_EXEC, -1); }
static void read_implies_exec(void) { (void)personality(READ_IMPLIES_EXEC); }
static void share_memory(void) { syscall(SYS_shmget, 0, 4096, 0); }

#ifdef __x86_64__
// The same calls by other numbers: the 32-bit gate, and the x32 range.
static void old_gate(void) { __asm__ volatile("int $0x80" : : "a"(20) : "memory"); }
static void x32_range(void) { syscall(0x40000000 | SYS_getpid); }
#endif

const struct deed deeds[] = {
    {"open", open_file},
    {"open-by-handle", open_by_handle},
    {"stat", stat_file},
    {"fcntl", list_descriptors},
    {"read-other-fd", read_other},
    {"write-other-fd", write_other},
    {"readv", read_vector},
    {"memfd", memory_file},
    {"dup", duplicate},
    {"socket", open_socket},
    {"sendmsg", send_descriptor},
    {"recvmsg", receive_descriptor},
    {"execve", run_program},
    {"fork", fork_process},
    {"thread", start_thread},
    {"clone3", clone_new},
    {"kill", kill_parent},
    {"process-vm-read", read_memory},
    {"ptrace", be_traced},
    {"pidfd-open", open_process},
    {"unshare", new_namespace},
    {"setns", enter_namespace},
    {"mount", mount_something},
    {"bpf", load_program},
    {"io-uring", ring},
    {"userfaultfd", fault_handler},
    {"perf-events", count_events},
    {"keyctl", keys},
    {"raise-rlimit", raise_limit},
    {"outlive-parent", outlive_parent},
    {"become-dumpable", become_dumpable},
    {"ignore-cpu-timer", catch_signal},
    {"block-cpu-timer", block_signal},
    {"wall-timer", wall_timer},
    {"sleep", wait_long},
    {"getrandom", random_bytes},
    {"mmap-exec", map_code},
    {"mprotect-exec", make_code},
    {"pkey-mprotect-exec", make_keyed_code},
    {"read-implies-exec", read_implies_exec},
    {"shared-memory", share_memory},
#ifdef __x86_64__
    {"32-bit-gate", old_gate},
    {"x32-range", x32_range},
#endif
};
const size_t deed_count = sizeof deeds / sizeof deeds[0];
