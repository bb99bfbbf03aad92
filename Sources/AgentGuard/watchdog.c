#include "watchdog.h"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *device;
static int timeout_s;
static int descriptor = -1;

void watchdog_configure(const char *name, int64_t timeout_ms) {
    device = name != NULL && name[0] != 0 ? name : NULL;
    timeout_s = (int)((timeout_ms + 999) / 1000);
}

bool watchdog_feed(void) {
    if (device == NULL) return false;
    if (descriptor < 0) {
        // While an earlier guard holds it this fails; the next order tries again.
        descriptor = open(device, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
        if (descriptor < 0) return false;
        // A device that cannot be set keeps its own time.
        (void)ioctl(descriptor, WDIOC_SETTIMEOUT, &timeout_s);
    }
    return write(descriptor, "\0", 1) == 1;
}

void watchdog_disarm(void) {
    if (descriptor < 0) return;
    // The letter by which the kernel knows that the end is meant.
    (void)!write(descriptor, "V", 1);
    close(descriptor);
    descriptor = -1;
}

bool watchdog_is_open(void) { return descriptor >= 0; }
