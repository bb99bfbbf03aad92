// Proof, on this machine, that a confined worker cannot do what it must not.
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

/// The layers that hold: for each, a confined process has tried to get around it, and failed. To be
/// called in a confined zygote with the layers that it applied; without a filter where there is
/// none. Takes a few milliseconds.
uint64_t selftest_layers(uint64_t applied, const struct sock_fprog *filter);

/// Tries every layer and each forbidden deed, and prints a line for each, its parts separated by
/// tabs: `layer NAME active|missing DETAIL` and `attempt NAME killed|ALLOWED`. Returns the exit
/// status: 0 when every deed was stopped.
int selftest_run(void);
