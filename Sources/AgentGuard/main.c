// continuity-agent-guard: fences the service when its agent does not do so in time.
//
//   continuity-agent-guard 3 DIRECTORY LEASE_FILE AGENT_ID [WATCHDOG TIMEOUT_MS]
//
// Started by `continuity agent`, never by a person. Descriptor 3 brings orders (CLinux/guard.h).
// It holds one instant of the boot clock; when that passes without a later one, it kills every
// process whose working directory is DIRECTORY, and goes on for as long as nothing newer comes.
//
// When its agent dies it stays until that instant, for a restarted agent may take over: the
// lease file then names another agent, and this guard ends. See docs/fencing.md.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "CLinux.h"
#include "service.h"
#include "watchdog.h"

enum {
    ORDERS = 3,
    REFRESH_MS = 1000,
    /// Between two looks while something of the service still lives.
    AGAIN_MS = 2,
    /// Between two looks once it is stopped and the deadline is past.
    PATROL_MS = 50,
    /// A service that survives this long is left to the watchdog, if there is one.
    STUCK_MS = 2000,
};

static struct {
    const char *lease_file;
    const char *agent;
    int orders;
    int timer;
    int64_t deadline_ms;
    int64_t refreshed_ms;
    int64_t fencing_since_ms;
    uint32_t sequence;
    uint32_t privileges;
    uint32_t killed;
    bool stopped;
} guard = {.orders = ORDERS};

// MARK: Staying able to act

static void protect(void) {
    for (int number = 1; number < 32; number++) {
        // A service manager that ends everything together must not end this first.
        if (number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGPIPE ||
            number == SIGQUIT || number == SIGUSR1 || number == SIGUSR2) {
            signal(number, SIG_IGN);
        }
    }
    (void)!chdir("/");
    (void)setsid();
    (void)prctl(PR_SET_NAME, "agent-guard");
    if (mlockall(MCL_CURRENT | MCL_FUTURE) == 0) guard.privileges |= CONTINUITY_GUARD_LOCKED;
    int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) {
        if (write(score, "-1000", 5) == 5) guard.privileges |= CONTINUITY_GUARD_UNKILLABLE;
        close(score);
    }
    struct sched_param priority = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &priority) == 0) {
        guard.privileges |= CONTINUITY_GUARD_REALTIME;
    }
}

static void arm(int64_t at_ms) {
    int64_t left_ms = at_ms - continuity_boot_milliseconds();
    // The timer's clock may be slewed, so it is set short of the time and again for the rest.
    if (left_ms > 10) left_ms -= left_ms / 10;
    struct itimerspec when = {
        .it_value = {.tv_sec = left_ms / 1000, .tv_nsec = (left_ms % 1000) * 1000000}};
    // An instant that is past fires at once; 0 would disarm.
    if (left_ms <= 0) when.it_value = (struct timespec){.tv_nsec = 1};
    (void)timerfd_settime(guard.timer, 0, &when, NULL);
}

// MARK: The agent

static void answer(void) {
    if (guard.orders < 0) return;
    struct continuity_guard_answer reply = {
        .sequence = guard.sequence, .flags = guard.privileges, .killed = guard.killed};
    if (watchdog_is_open()) reply.flags |= CONTINUITY_GUARD_WATCHDOG;
    if (guard.fencing_since_ms != 0) {
        reply.flags |= guard.stopped ? CONTINUITY_GUARD_FENCED : CONTINUITY_GUARD_FENCING;
    }
    (void)continuity_send_packet(guard.orders, &reply, sizeof reply);
}

static void take(const struct continuity_guard_order *order) {
    if (order->kind == CONTINUITY_GUARD_RELEASE) {
        watchdog_disarm();
        _exit(0);
    }
    guard.sequence = order->sequence;
    guard.deadline_ms = order->deadline_boot_ms;
    if (guard.deadline_ms == 0) watchdog_disarm();
    if (guard.deadline_ms == 0 || guard.deadline_ms > continuity_boot_milliseconds()) {
        guard.fencing_since_ms = 0;
        guard.stopped = false;
    }
    answer();
}

/// Takes whatever has come. Without an agent the descriptor is closed.
static void listen_to_agent(void) {
    while (guard.orders >= 0) {
        struct continuity_guard_order order;
        ssize_t length = recv(guard.orders, &order, sizeof order, MSG_DONTWAIT);
        if (length == (ssize_t)sizeof order) {
            take(&order);
            continue;
        }
        if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
        close(guard.orders);
        guard.orders = -1;
    }
}

// MARK: The lease file

/// Of this boot of the kernel; empty when it cannot be told.
static void read_boot(char boot[64]) {
    boot[0] = 0;
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    ssize_t length = read(file, boot, 63);
    close(file);
    boot[length > 0 ? length : 0] = 0;
    boot[strcspn(boot, "\n")] = 0;
}

/// A lease that ends later than its whole length from now, or that is of another boot, has ended.
static bool lease_can_be_true(const char *boot, long long until_ms, long long length_ms) {
    char own[64];
    read_boot(own);
    return own[0] != 0 && strcmp(own, boot) == 0 && length_ms > 0 && length_ms <= 86400000 &&
        until_ms - continuity_boot_milliseconds() <= length_ms;
}

/// What another agent has made of the lease since this guard's own one died.
///
/// - Returns: whether this guard is still the one that has to act.
static bool follow_lease_file(void) {
    char text[257];
    int file = open(guard.lease_file, O_RDONLY | O_CLOEXEC);
    if (file < 0) return true;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) return true;
    text[length] = 0;
    char boot[64], state[16], guarded_by[64];
    long long until_ms = 0, length_ms = 0;
    if (sscanf(text, "continuity-lease 1 %63s %lld %15s %63s %lld", boot, &until_ms, state,
            guarded_by, &length_ms) != 5) {
        return true;
    }
    if (strcmp(guarded_by, guard.agent) != 0) return false;
    if (strcmp(state, "held") == 0 && until_ms > guard.deadline_ms &&
        lease_can_be_true(boot, until_ms, length_ms)) {
        guard.deadline_ms = until_ms;
    }
    return true;
}

// MARK: Fencing

/// One round. - Returns: when the next is due.
static int64_t fence(int64_t now_ms) {
    if (guard.fencing_since_ms == 0) guard.fencing_since_ms = now_ms;
    bool was_stopped = guard.stopped;
    guard.killed += service_kill();
    guard.stopped = service_is_stopped() || service_is_harmless();
    if (guard.stopped != was_stopped) answer();
    if (guard.stopped) {
        guard.fencing_since_ms = now_ms;
        (void)watchdog_feed();
        return now_ms + PATROL_MS;
    }
    if (now_ms - guard.fencing_since_ms < STUCK_MS) (void)watchdog_feed();
    return now_ms + AGAIN_MS;
}

/// Does what is due. - Returns: when to look again; 0: when there is an order.
static int64_t act(void) {
    int64_t now_ms = continuity_boot_milliseconds();
    if (guard.orders < 0) {
        if (!service_exists() || !follow_lease_file()) {
            watchdog_disarm();
            _exit(0);
        }
        if (guard.deadline_ms == 0) _exit(0);
    }
    if (guard.deadline_ms == 0) return 0;
    if (now_ms >= guard.deadline_ms) return fence(now_ms);
    (void)watchdog_feed();
    if (now_ms - guard.refreshed_ms >= REFRESH_MS) {
        guard.refreshed_ms = now_ms;
        service_refresh();
    }
    int64_t next_ms = now_ms + (guard.orders < 0 ? PATROL_MS : REFRESH_MS);
    return next_ms < guard.deadline_ms ? next_ms : guard.deadline_ms;
}

static void run(void) {
    for (;;) {
        // Orders first: what was said before a pause may move the deadline.
        listen_to_agent();
        int64_t next_ms = act();
        if (next_ms != 0) arm(next_ms);
        struct pollfd watched[] = {
            {.fd = guard.timer, .events = POLLIN}, {.fd = guard.orders, .events = POLLIN}};
        if (next_ms == 0) watched[0].fd = -1;
        (void)poll(watched, 2, -1);
    }
}

int main(int count, char **arguments) {
    if (count < 5) {
        fputs("continuity-agent-guard is started by `continuity agent` alone\n", stderr);
        return 64;
    }
    guard.lease_file = arguments[3];
    guard.agent = arguments[4];
    if (!service_resolve(arguments[2])) {
        fprintf(stderr, "continuity-agent-guard: %s: %s\n", arguments[2], strerror(errno));
        return 65;
    }
    if (count >= 7) watchdog_configure(arguments[5], atoll(arguments[6]));
    guard.timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (guard.timer < 0 || fcntl(ORDERS, F_SETFD, FD_CLOEXEC) != 0) {
        fprintf(stderr, "continuity-agent-guard: %s\n", strerror(errno));
        return 70;
    }
    protect();
    run();
}
