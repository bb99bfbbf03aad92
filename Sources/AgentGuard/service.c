#include "service.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "CLinux.h"

// Nothing here is allocated: under memory pressure an allocation may wait.
#define KNOWN_MAX 512

struct member {
    pid_t pid;
    int pidfd;
};

struct entry {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

static char wanted[PATH_MAX];
static char wanted_deleted[PATH_MAX + 16];
static struct member known[KNOWN_MAX];
static unsigned known_count;

bool service_resolve(const char *directory) {
    if (realpath(directory, wanted) == NULL) return false;
    strcpy(wanted_deleted, wanted);
    // The kernel marks a directory that was removed under its process in this way.
    strcat(wanted_deleted, " (deleted)");
    return true;
}

bool service_exists(void) {
    struct stat status;
    return stat(wanted, &status) == 0;
}

static int process_number(const char *name) {
    int number = 0;
    for (; *name != 0; name++) {
        if (*name < '0' || *name > '9' || number > 100000000) return 0;
        number = number * 10 + (*name - '0');
    }
    return number;
}

static void process_path(char path[48], int pid) {
    char digits[12];
    int count = 0;
    do {
        digits[count++] = (char)('0' + pid % 10);
        pid /= 10;
    } while (pid > 0);
    char *at = stpcpy(path, "/proc/");
    while (count > 0) *at++ = digits[--count];
    strcpy(at, "/cwd");
}

/// Zombies have no working directory any more and do not count.
static bool belongs(int pid) {
    char path[48];
    char directory[PATH_MAX + 16];
    process_path(path, pid);
    ssize_t length = readlink(path, directory, sizeof directory - 1);
    if (length < 0) return false;
    directory[length] = 0;
    return strcmp(directory, wanted) == 0 || strcmp(directory, wanted_deleted) == 0;
}

/// Calls `visit` for each live process of the service. -1 when processes cannot be listed.
static int each(void (*visit)(int pid)) {
    static char buffer[32768] __attribute__((aligned(8)));
    int folder = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return -1;
    int found = 0;
    for (;;) {
        long length = syscall(SYS_getdents64, folder, buffer, sizeof buffer);
        if (length < 0) found = -1;
        if (length <= 0) break;
        for (long at = 0; at < length;) {
            const struct entry *entry = (const struct entry *)(const void *)(buffer + at);
            at += entry->length;
            int pid = process_number(entry->name);
            if (pid <= 1 || pid == getpid() || !belongs(pid)) continue;
            found++;
            visit(pid);
        }
    }
    close(folder);
    return found;
}

static void forget_dead(void) {
    unsigned kept = 0;
    for (unsigned at = 0; at < known_count; at++) {
        if (continuity_pidfd_ended(known[at].pidfd)) {
            close(known[at].pidfd);
        } else {
            known[kept++] = known[at];
        }
    }
    known_count = kept;
}

static void remember(int pid) {
    for (unsigned at = 0; at < known_count; at++) {
        if (known[at].pid == pid) return;
    }
    if (known_count == KNOWN_MAX) return;
    int pidfd = continuity_pidfd_open(pid);
    if (pidfd < 0) return;
    // The descriptor fixes who is meant; this second look rules out that the number was reused.
    if (!belongs(pid)) {
        close(pidfd);
        return;
    }
    known[known_count++] = (struct member){.pid = pid, .pidfd = pidfd};
}

void service_refresh(void) {
    forget_dead();
    (void)each(remember);
}

static unsigned kill_known(void) {
    unsigned killed = 0;
    for (unsigned at = 0; at < known_count; at++) {
        if (!continuity_pidfd_ended(known[at].pidfd) &&
            continuity_pidfd_kill(known[at].pidfd) == 0) {
            killed++;
        }
    }
    return killed;
}

unsigned service_kill(void) {
    unsigned killed = kill_known();
    // Killed, they must be seen dead before they are forgotten; those that are new are killed now.
    unsigned before = known_count;
    (void)each(remember);
    for (unsigned at = before; at < known_count; at++) {
        if (continuity_pidfd_kill(known[at].pidfd) == 0) killed++;
    }
    return killed;
}

static void ignore(int pid) { (void)pid; }

bool service_is_stopped(void) {
    forget_dead();
    if (known_count > 0) return false;
    return each(ignore) == 0 && each(ignore) == 0;
}

static unsigned able;

static void count_able(int pid) { able += continuity_kill_is_pending("/proc", pid) != 1; }

bool service_is_harmless(void) {
    for (int look = 0; look < 2; look++) {
        able = 0;
        if (each(count_able) < 0 || able > 0) return false;
    }
    for (unsigned at = 0; at < known_count; at++) {
        if (!continuity_pidfd_ended(known[at].pidfd) &&
            continuity_kill_is_pending("/proc", known[at].pid) != 1) {
            return false;
        }
    }
    return true;
}
