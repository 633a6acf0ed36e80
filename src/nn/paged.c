#include "nn/paged.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "nn/paged_softmax.h"

/* Sums that run side by side, so that one does not wait for the other. */
#define CHAINS 4
/* Channels whose sums stay in registers. */
#define CHANNELS 64
#define ROWS PAGED_ROWS

size_t paged_scratch(size_t len)
{
    return (len + ROWS - 1) / ROWS * ROWS;
}

void paged_store(float *restrict page, size_t i, const float *restrict key,
                 const float *restrict value, size_t G, size_t D)
{
    assert(i < ROWS);
    for (size_t c = 0; c < G * D; c++)
        page[c * ROWS + i] = key[c];
    page += G * D * ROWS;
    for (size_t g = 0; g < G; g++)
        memcpy(page + (g * ROWS + i) * D, value + g * D, D * sizeof *page);
}

#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch((p), 0, 2)
#else
#define PREFETCH(p) ((void)(p))
#endif

/*
 * score[i] = query . key of position i of one page.  `soon` are two pieces of
 * memory as long as the keys, or NULL, that are wanted next: reading a cache
 * that lies far away is what attention's time goes into.
 */
NN_INLINE void page_scores(float *restrict score, const float *restrict query,
                           const float *restrict key, size_t D,
                           const float *const soon[2])
{
    float sum[CHAINS][ROWS] = {{0}};
    size_t d = 0;

    for (; d + CHAINS <= D; d += CHAINS) {
        for (size_t k = 0; k < 2; k++)
            for (size_t j = 0; soon[k] != NULL && j < CHAINS; j++)
                PREFETCH(soon[k] + (d + j) * ROWS);
        for (size_t j = 0; j < CHAINS; j++)
#pragma omp simd
            for (size_t i = 0; i < ROWS; i++)
                sum[j][i] += query[d + j] * key[(d + j) * ROWS + i];
    }
    for (; d < D; d++)
        for (size_t i = 0; i < ROWS; i++)
            sum[0][i] += query[d] * key[d * ROWS + i];
#pragma omp simd
    for (size_t i = 0; i < ROWS; i++)
        score[i] = (sum[0][i] + sum[1][i]) + (sum[2][i] + sum[3][i]);
}

/* Channels d..d+width-1 of a head: out = factor sum_s p[s] value[s]. */
NN_INLINE void weigh(float *restrict out, const float *restrict p,
                     float *const *table, size_t offset, size_t len, size_t D,
                     size_t width, float factor)
{
    float sum[CHANNELS] = {0};

    for (size_t s = 0; s < len; s += ROWS) {
        const float *value = table[s / ROWS] + offset;
        size_t rows = len - s < ROWS ? len - s : ROWS;

        for (size_t i = 0; i < rows; i++)
#pragma omp simd
            for (size_t d = 0; d < width; d++)
                sum[d] += p[s + i] * value[i * D + d];
    }
    for (size_t d = 0; d < width; d++)
        out[d] = sum[d] * factor;
}

NN_INLINE void attend(float *restrict out, const float *restrict query,
                      float *const *table, size_t offset, size_t len, size_t H,
                      size_t G, size_t D, float *restrict p)
{
    float scale = (float)(1.0 / sqrt((double)D));

    for (size_t h = 0; h < H; h++) {
        size_t g = h / (H / G);
        size_t key = offset + g * D * ROWS;
        size_t value = offset + (G + g) * D * ROWS;
        bool is_first = h % (H / G) == 0; // of the heads that share these
        float factor;
        size_t d = 0;

        for (size_t s = 0; s < len; s += ROWS) {
            float *const *page = table + s / ROWS;
            const float *const soon[2] = {
                is_first ? page[0] + value : NULL,
                is_first && s + ROWS < len ? page[1] + key : NULL};

            page_scores(p + s, query + h * D, page[0] + key, D, soon);
        }
        factor = 1.0f / exponentials(p, len, scale);
        for (; d + CHANNELS <= D; d += CHANNELS)
            weigh(out + h * D + d, p, table, value + d, len, D, CHANNELS,
                  factor);
        if (d < D)
            weigh(out + h * D + d, p, table, value + d, len, D, D - d, factor);
    }
}

NN_CLONES void paged_attend(float *restrict out, const float *restrict query,
                            float *const *table, size_t offset, size_t len,
                            size_t H, size_t G, size_t D,
                            float *restrict scratch)
{
    assert(len >= 1 && G > 0 && H % G == 0);
    if (D == 16)
        attend(out, query, table, offset, len, H, G, 16, scratch);
    else if (D == 64)
        attend(out, query, table, offset, len, H, G, 64, scratch);
    else
        attend(out, query, table, offset, len, H, G, D, scratch);
}
