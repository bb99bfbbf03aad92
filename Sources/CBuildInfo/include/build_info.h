#ifndef CONTINUITY_BUILD_INFO_H
#define CONTINUITY_BUILD_INFO_H

/* The commit that the program was built from, as hexadecimal digits, or "unknown". */
const char *continuity_build_commit(void);

#endif
