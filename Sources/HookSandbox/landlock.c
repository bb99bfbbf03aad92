#include "landlock.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

// The numbers are the same on every architecture, and part of the kernel's stable interface.
enum {
    CALL_CREATE_RULESET = 444,
    CALL_RESTRICT_SELF = 446,
    CREATE_RULESET_VERSION = 1,
};

/// `struct landlock_ruleset_attr`, as of version 6. Earlier kernels take a prefix of it.
struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scopes;
};

static const uint64_t network_tcp = 0x3;              // bind, connect
static const uint64_t scope_sockets_and_signals = 0x3;  // abstract sockets, signals

int landlock_version(void) {
    long version = syscall(CALL_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);
    return version > 0 ? (int)version : 0;
}

/// Every right on files that the version knows. A right that is not handled would stay allowed.
static uint64_t all_file_rights(int version) {
    if (version >= 5) return 0xFFFF;  // devices' ioctl
    if (version >= 3) return 0x7FFF;  // truncate
    if (version >= 2) return 0x3FFF;  // link and rename across directories
    return 0x1FFF;
}

int landlock_confine(void) {
    int version = landlock_version();
    if (version == 0) return 0;
    struct ruleset denied = {.files = all_file_rights(version)};
    size_t size = sizeof denied.files;
    if (version >= 4) {
        denied.network = network_tcp;
        size = offsetof(struct ruleset, scopes);
    }
    if (version >= 6) {
        denied.scopes = scope_sockets_and_signals;
        size = sizeof denied;
    }
    // Without a rule that allows anything, everything handled is refused.
    long rules = syscall(CALL_CREATE_RULESET, &denied, size, 0);
    if (rules < 0) return 0;
    long result = syscall(CALL_RESTRICT_SELF, rules, 0);
    close((int)rules);
    return result == 0 ? version : 0;
}
