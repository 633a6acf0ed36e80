/*
 * fuzz.h - what a fuzz target has and what its invariants use.
 *
 * The name of the entry point is libFuzzer's.
 */
#ifndef PLUMB_FUZZ_H
#define PLUMB_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* An invariant, checked in every build. */
#define FUZZ_CHECK(x)                                                          \
    do {                                                                       \
        if (!(x))                                                              \
            abort();                                                           \
    } while (0)

#endif
