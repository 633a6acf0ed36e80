#include "nn/paged16.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "nn/gemm16.h"
#include "nn/paged_softmax.h"

/* Compiled with -ffp-contract=fast, as nn/rowwise.c. */

/* Heads at a time, and channels whose sums stay in registers. */
#define HEADS ((size_t)4)
#define CHANNELS ((size_t)64)

#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch((p), 0, 2)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define PREFETCH(p) ((void)(p))
#define UNROLL
#endif

size_t paged16_scratch(size_t len)
{
    return HEADS * paged_scratch(len);
}

void paged16_store(float *restrict page, size_t i, const float *restrict key,
                   const float *restrict value, size_t G, size_t D)
{
    unsigned char *at = (unsigned char *)page;
    size_t pairs = (D + 1) / 2, size = sizeof(uint16_t);

    assert(i < PAGED_ROWS);
    for (size_t g = 0; g < G; g++)
        for (size_t d = 0; d < D; d++) {
            uint16_t x = gemm16_nearest(key[g * D + d]);
            size_t word = (g * pairs + d / 2) * PAGED_ROWS + i;

            memcpy(at + (2 * word + d % 2) * size, &x, size);
        }
    at += PAGED_ROWS * G * pairs * sizeof *page;
    for (size_t g = 0; g < G; g++)
        for (size_t d = 0; d < D; d++) {
            uint16_t x = gemm16_nearest(value[g * D + d]);
            size_t word = (g * PAGED_ROWS / 2 + i / 2) * D + d;

            memcpy(at + (2 * word + i % 2) * size, &x, size);
        }
}

/* Heads that share their keys and values, of one row. */
struct shared {
    float *out;         // [R,D]
    const float *query; // [R,D]
    float *const *table;
    size_t key, value; // where those of the heads begin in a page
    size_t len, R;     // R <= HEADS
    float *p;          // [R,paged_scratch(len)]
};

/* The float that the lower or the upper half of a word is. */
NN_INLINE float half_of(const float *word, bool is_upper)
{
    uint32_t w;
    float x;

    memcpy(&w, word, sizeof w);
    w = is_upper ? w & 0xffff0000u : w << 16;
    memcpy(&x, &w, sizeof x);
    return x;
}

#define LEVEL(name) name##_plain
#define AT_LEVEL
#define VECTOR 4
#include "nn/paged16_level.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define LEVEL(name) name##_v3
#define AT_LEVEL ROWWISE_AT_V3
#define VECTOR 8
#include "nn/paged16_level.h"

#define LEVEL(name) name##_v4
#define AT_LEVEL ROWWISE_AT_V4
#define VECTOR 16
#include "nn/paged16_level.h"
#endif

static void attend(const struct shared *h, size_t D, enum rowwise_level level)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (level >= ROWWISE_V4) {
        attend_v4(h, D);
        return;
    }
    if (level == ROWWISE_V3) {
        attend_v3(h, D);
        return;
    }
#endif
    (void)level;
    attend_plain(h, D);
}

void paged16_attend(float *restrict out, const float *restrict query,
                    float *const *table, size_t offset, size_t len, size_t H,
                    size_t G, size_t D, float *restrict scratch,
                    enum rowwise_level level)
{
    size_t keys = PAGED_ROWS * ((D + 1) / 2), values = PAGED_ROWS / 2 * D;

    assert(len >= 1 && G > 0 && H % G == 0);
    for (size_t h = 0, R; h < H; h += R) {
        size_t g = h / (H / G), left = (g + 1) * (H / G) - h;

        R = left < HEADS ? left : HEADS;
        attend(&(struct shared){.out = out + h * D,
                                .query = query + h * D,
                                .table = table,
                                .key = offset + g * keys,
                                .value = offset + G * keys + g * values,
                                .len = len,
                                .R = R,
                                .p = scratch},
               D, level);
    }
}
