// Proof, on this machine, that a confined worker cannot do what it must not.
#pragma once

#include <linux/filter.h>
#include <stdbool.h>

/// Whether a confined process that opens a file is killed, and one that does nothing is not.
bool selftest_filter_works(const struct sock_fprog *filter);

/// Tries each forbidden deed in a confined process and prints `deed: killed` or `deed: ALLOWED`.
/// Returns the exit status: 0 when every deed was stopped.
int selftest_run(void);
