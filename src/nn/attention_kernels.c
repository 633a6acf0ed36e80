#include "nn/attention_kernels.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "nn/fastmath.h"

/*
 * Compiled with -ffp-contract=fast, as nn/rowwise.c: a product added to a sum
 * is one fused operation where the level has such.
 *
 * The steps are written with vectors of the level's own width.  Wider ones
 * would do for sums and products, but compilers make a scalar loop of a
 * comparison of vectors that no register holds, and keep them in memory.
 */
#define MASKED (-1e30f)

#if defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 8")
#else
#define UNROLL
#endif

/* Lanes exchanged with those n further on. */
#define SWAP_LANES(v, ...) __builtin_shufflevector(v, v, __VA_ARGS__)

/* As many sums as fit into the 16 registers of x86-64 or the 32 of others. */
#define LEVEL(name) name##_plain
#define AT_LEVEL
#define LANES 4
#if defined(__x86_64__)
#define TILE_ROWS 3
#else
#define TILE_ROWS 6
#endif
#define TILE_PANELS 1
#define LANE_NUMBERS                                                           \
    {                                                                          \
        0, 1, 2, 3                                                             \
    }
#define SWAP_LANES_1(v) SWAP_LANES(v, 1, 0, 3, 2)
#define SWAP_LANES_2(v) SWAP_LANES(v, 2, 3, 0, 1)
#include "nn/attention_level.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define LEVEL(name) name##_v3
#define AT_LEVEL ROWWISE_AT_V3
#define LANES 8
#define TILE_ROWS 6
#define TILE_PANELS 1
#define LANE_NUMBERS                                                           \
    {                                                                          \
        0, 1, 2, 3, 4, 5, 6, 7                                                 \
    }
#define SWAP_LANES_1(v) SWAP_LANES(v, 1, 0, 3, 2, 5, 4, 7, 6)
#define SWAP_LANES_2(v) SWAP_LANES(v, 2, 3, 0, 1, 6, 7, 4, 5)
#define SWAP_LANES_4(v) SWAP_LANES(v, 4, 5, 6, 7, 0, 1, 2, 3)
#include "nn/attention_level.h"

#define LEVEL(name) name##_v4
#define AT_LEVEL ROWWISE_AT_V4
#define LANES 16
#define TILE_ROWS 6
#define TILE_PANELS 4
#define LANE_NUMBERS                                                           \
    {                                                                          \
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15                   \
    }
#define SWAP_LANES_1(v)                                                        \
    SWAP_LANES(v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)
#define SWAP_LANES_2(v)                                                        \
    SWAP_LANES(v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
#define SWAP_LANES_4(v)                                                        \
    SWAP_LANES(v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)
#define SWAP_LANES_8(v)                                                        \
    SWAP_LANES(v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)
#include "nn/attention_level.h"
#endif

const struct attention_kernels *attention_kernels(enum rowwise_level level)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (level >= ROWWISE_V4)
        return &kernels_v4;
    if (level == ROWWISE_V3)
        return &kernels_v3;
#endif
    (void)level;
    return &kernels_plain;
}
