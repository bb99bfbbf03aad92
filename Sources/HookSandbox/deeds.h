// What code that took over a worker would try. Each must end the process by SIGSYS.
#pragma once

#include <stddef.h>

struct deed {
    const char *name;
    void (*deed)(void);
};

/// The first one opens a file.
extern const struct deed deeds[];
extern const size_t deed_count;
