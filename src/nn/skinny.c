#include "nn/skinny.h"

#include <assert.h>
#include <math.h>

/*
 * COLUMNS rows of B are worked off at a time against all rows of A at once:
 * COLUMNS x SKINNY_ROWS sums in registers.  A lies transposed in `turned`, as
 * much of it as stays near, so that its rows fill a vector; DEPTH is how many
 * of its columns that is.
 */
#define COLUMNS 8
#define DEPTH 768
/* Floats of B between two requests for memory ahead: a cache line. */
#define LINE 16
/* How many groups of COLUMNS ahead. */
#define AHEAD 2

#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch((p), 0, 3)
#else
#define PREFETCH(p) ((void)(p))
#endif

bool skinny_pays(size_t M, size_t N, size_t K)
{
#if defined(PLUMB_CLONES) && defined(__x86_64__) && !defined(__clang__)
    return M > 2 && M <= SKINNY_ROWS && N >= ((size_t)1 << 17) / (K + 1) &&
           __builtin_cpu_supports("avx512f");
#else
    (void)M, (void)N, (void)K;
    return false;
#endif
}

/* Columns k0..k0+depth-1 of A [M,K] as rows, with zeros behind M. */
NN_INLINE void turn(float *restrict turned, const float *restrict A, size_t M,
                    size_t K, size_t depth)
{
    for (size_t k = 0; k < depth; k++)
        for (size_t m = M; m < SKINNY_ROWS; m++)
            turned[k * SKINNY_ROWS + m] = 0.0f;
    for (size_t m = 0; m < M; m++)
        for (size_t k = 0; k < depth; k++)
            turned[k * SKINNY_ROWS + m] = A[m * K + k];
}

/* sum[c,m] over `depth` of k; columns from `columns` on repeat the last.  What
 * lies `ahead` floats behind is wanted soon. */
NN_INLINE void tile(float sum[restrict COLUMNS][SKINNY_ROWS],
                    const float *restrict turned, const float *restrict B,
                    size_t columns, size_t K, size_t depth, size_t ahead)
{
    const float *b[COLUMNS];
    float s[COLUMNS][SKINNY_ROWS];
    for (size_t c = 0; c < COLUMNS; c++) {
        b[c] = B + (c < columns ? c : columns - 1) * K;
        for (size_t m = 0; m < SKINNY_ROWS; m++)
            s[c][m] = 0.0f;
    }
    for (size_t line = 0; line < depth; line += LINE) {
        size_t end = depth - line < LINE ? depth : line + LINE;
        for (size_t c = 0; c < COLUMNS; c++)
            PREFETCH(b[c] + line + ahead);
        for (size_t k = line; k < end; k++) {
            const float *a = turned + k * SKINNY_ROWS;
            for (size_t c = 0; c < COLUMNS; c++) {
                float b_k = b[c][k];
#pragma omp simd
                for (size_t m = 0; m < SKINNY_ROWS; m++)
                    s[c][m] = fmaf(b_k, a[m], s[c][m]);
            }
        }
    }
    for (size_t c = 0; c < COLUMNS; c++)
        for (size_t m = 0; m < SKINNY_ROWS; m++)
            sum[c][m] = s[c][m];
}

NN_CLONES void skinny_nt(float *restrict C, const float *restrict A,
                         const float *restrict B, size_t M, size_t N, size_t K,
                         bool accumulate)
{
    float turned[DEPTH * SKINNY_ROWS], sum[COLUMNS][SKINNY_ROWS];
    assert(M <= SKINNY_ROWS);
    for (size_t k = 0; k < K; k += DEPTH) {
        size_t depth = K - k < DEPTH ? K - k : DEPTH;
        bool adds = accumulate || k > 0;
        turn(turned, A + k, M, K, depth);
        for (size_t n = 0; n < N; n += COLUMNS) {
            size_t columns = N - n < COLUMNS ? N - n : COLUMNS;
            size_t ahead = N - n > (AHEAD + 1) * COLUMNS ? AHEAD * COLUMNS : 0;
            tile(sum, turned, B + n * K + k, columns, K, depth, ahead * K);
            for (size_t m = 0; m < M; m++) {
                float *c_m = C + m * N + n;
                for (size_t c = 0; c < columns; c++)
                    c_m[c] = adds ? c_m[c] + sum[c][m] : sum[c][m];
            }
        }
    }
}
