/*
 * paged_softmax.h - the softmax of a row's scores, for nn/paged.c and
 * nn/paged16.c.
 */
#ifndef PLUMB_NN_PAGED_SOFTMAX_H
#define PLUMB_NN_PAGED_SOFTMAX_H

#include "nn/fastmath.h"
#include "nn/paged.h"

/* Scores behind the row's own position; the exponential is exactly 0. */
#define MASKED (-1e30f)

/* Scores become exponentials of their distance to the greatest; their sum. */
NN_INLINE float exponentials(float *restrict score, size_t len, float scale)
{
    size_t n = paged_scratch(len);
    float lane[PAGED_ROWS], sum[PAGED_ROWS] = {0};
    float max = MASKED, total = 0;

    for (size_t s = len; s < n; s++)
        score[s] = MASKED;
    for (size_t i = 0; i < PAGED_ROWS; i++)
        lane[i] = MASKED;
    for (size_t s = 0; s < n; s += PAGED_ROWS)
#pragma omp simd
        for (size_t i = 0; i < PAGED_ROWS; i++)
            lane[i] = score[s + i] > lane[i] ? score[s + i] : lane[i];
    for (size_t i = 0; i < PAGED_ROWS; i++)
        max = lane[i] > max ? lane[i] : max;
    max *= scale;
    for (size_t s = 0; s < n; s += PAGED_ROWS)
#pragma omp simd
        for (size_t i = 0; i < PAGED_ROWS; i++) {
            float e = fastmath_exp(score[s + i] * scale - max);

            score[s + i] = e;
            sum[i] += e;
        }
    for (size_t i = 0; i < PAGED_ROWS; i++)
        total += sum[i];
    return total;
}

#endif
