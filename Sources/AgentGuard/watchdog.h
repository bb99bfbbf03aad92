// The kernel's watchdog: when it is not fed in time, the machine is reset.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Names the device; `NULL` or an empty name: none is used.
void watchdog_configure(const char *device, int64_t timeout_ms);

/// Opens the device if it is not open, and feeds it. - Returns: whether it was fed.
bool watchdog_feed(void);

/// Stops the watchdog in order, as nothing has to be guarded any more.
void watchdog_disarm(void);

bool watchdog_is_open(void);
