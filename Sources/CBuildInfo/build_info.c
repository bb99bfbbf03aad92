#include "build_info.h"

/* scripts/package writes the commit into this section after linking, so that a new commit compiles
 * nothing anew. 64 bytes, ended by a zero. */
__attribute__((section(".continuity_build"), used)) static const char commit[64] = "unknown";

const char *continuity_build_commit(void)
{
    /* Read from the program, not folded into the code by the compiler. */
    const char *volatile text = commit;
    return text;
}
