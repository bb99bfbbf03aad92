// Included before every file of the sandbox in the fuzzer's build. The worker ends its process at
// every turn and never frees; here it ends a round, and its memory is freed after each.
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

void *fuzz_malloc(size_t size);
void *fuzz_realloc(void *block, size_t size);
void fuzz_free(void *block);
_Noreturn void fuzz_exit(int status);
ssize_t fuzz_read(int fd, void *into, size_t length);
ssize_t fuzz_write(int fd, const void *from, size_t length);

#ifndef FUZZ_HARNESS
#define malloc fuzz_malloc
#define realloc fuzz_realloc
#define free fuzz_free
#define _exit fuzz_exit
#define read fuzz_read
#define write fuzz_write
// The harness caps what an input may ask for, and calls the real one (FUZZ_LIMITS).
#ifndef FUZZ_LIMITS
#define limits_begin fuzz_limits_begin
#endif

// All variables of the worker in two sections, so that each round begins with fresh ones.
#pragma clang section bss = "worker_bss" data = "worker_data"
#endif
