// The processes of the guarded service: those whose working directory is the service's.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Takes the directory, links resolved. - Returns: whether it exists.
bool service_resolve(const char *directory);

/// Whether the directory is still there.
bool service_exists(void);

/// Remembers who belongs to the service by now, so that a fence can begin without a look.
void service_refresh(void);

/// Kills whoever is remembered, then whoever a new look finds. - Returns: how many were killed.
unsigned service_kill(void);

/// Whether two looks in a row find nobody alive: one look can miss a process that is forked during
/// it by one that ends during it.
bool service_is_stopped(void);

/// Whether whatever is left hangs in the kernel with SIGKILL pending: it acts no more.
bool service_is_harmless(void);
