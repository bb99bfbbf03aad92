// continuity-hook-sandbox: the process in which all Lua runs. Started by serve, never by a person,
// except for `--self-test`.

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "selftest.h"
#include "zygote.h"

/// A number from `low` to `high`, or -1.
static long number(const char *text, long low, long high) {
    char *end = NULL;
    long value = strtol(text, &end, 10);
    return end != text && *end == '\0' && value >= low && value <= high ? value : -1;
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "--self-test") == 0) return selftest_run();
    long control_fd = count == 3 ? number(arguments[1], 3, 1023) : -1;
    long pool = count == 3 ? number(arguments[2], 1, WORKERS_MAX) : -1;
    if (control_fd < 0 || pool < 0) {
        fputs(
            "continuity-hook-sandbox is started by 'continuity serve'.\n"
            "usage: continuity-hook-sandbox <control-fd> <pool-size>\n"
            "       continuity-hook-sandbox --self-test\n",
            stderr);
        return 64;
    }
    // Now, because a worker could not read /dev/urandom any more.
    json_object_seed(0);
    return zygote_run((int)control_fd, (unsigned)pool);
}
