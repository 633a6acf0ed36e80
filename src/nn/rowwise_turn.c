#include "nn/rowwise_internal.h"

#include <assert.h>
#include <string.h>

#include "nn/gemm16.h"

/* Transposition: sixteen by sixteen where registers hold so many, else four by
 * four.  It moves numbers and changes none. */
#if defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif

typedef float v16 __attribute__((vector_size(64)));
typedef float v4 __attribute__((vector_size(16)));

/* One exchange of a transposition: lanes of a and b, b rows further down,
 * across the diagonal of blocks of the size that the indices tell. */
#define SWAP(i, j, ...)                                                        \
    do {                                                                       \
        v16 one = __builtin_shufflevector(r[i], r[j], LOW_##__VA_ARGS__);      \
        r[j] = __builtin_shufflevector(r[i], r[j], HIGH_##__VA_ARGS__);        \
        r[i] = one;                                                            \
    } while (0)
#define LOW_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define HIGH_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define LOW_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define HIGH_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LOW_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31

NN_INLINE void transpose16(v16 r[16])
{
    UNROLL
    for (size_t i = 0; i < 16; i++)
        if ((i & 1) == 0)
            SWAP(i, i + 1, 1);
    UNROLL
    for (size_t i = 0; i < 16; i++)
        if ((i & 2) == 0)
            SWAP(i, i + 2, 2);
    UNROLL
    for (size_t i = 0; i < 16; i++)
        if ((i & 4) == 0)
            SWAP(i, i + 4, 4);
    UNROLL
    for (size_t i = 0; i < 8; i++)
        SWAP(i, i + 8, 8);
}

/* 16 columns of rowwise_turn() for 16 lanes, of which M are rows. */
NN_INLINE void turn16(float *restrict turned, const float *restrict x,
                      size_t ldx, size_t M, size_t lanes)
{
    v16 r[16];

    UNROLL
    for (size_t m = 0; m < 16; m++) {
        r[m] = (v16){0};
        if (m < M)
            memcpy(&r[m], x + m * ldx, sizeof r[m]);
    }
    transpose16(r);
    UNROLL
    for (size_t k = 0; k < 16; k++)
        memcpy(turned + k * lanes, &r[k], sizeof r[k]);
}

NN_INLINE void turn_all(float *restrict turned, const float *restrict x,
                        size_t ldx, size_t M, size_t K, size_t lanes)
{
    size_t k = 0;

    for (; k + 16 <= K; k += 16)
        for (size_t m = 0; m < lanes; m += 16)
            turn16(turned + k * lanes + m, x + m * ldx + k, ldx,
                   M < m ? 0 : M - m, lanes);
    for (; k < K; k++)
        for (size_t m = 0; m < lanes; m++)
            turned[k * lanes + m] = m < M ? x[m * ldx + k] : 0.0f;
}

/* y[m,c] = z[c,m] (+ y[m,c]) for M <= 16 rows and 16 columns. */
NN_INLINE void put16(float *restrict y, size_t ldy, const float *restrict z,
                     size_t M, size_t lanes, bool accumulate)
{
    v16 r[16];

    UNROLL
    for (size_t c = 0; c < 16; c++)
        memcpy(&r[c], z + c * lanes, sizeof r[c]);
    transpose16(r);
    UNROLL
    for (size_t m = 0; m < 16; m++) {
        v16 old = {0};

        if (m >= M)
            continue;
        if (accumulate) {
            memcpy(&old, y + m * ldy, sizeof old);
            r[m] = old + r[m];
        }
        memcpy(y + m * ldy, &r[m], sizeof r[m]);
    }
}

/* The same for M rows and N columns. */
NN_INLINE void put_all(float *restrict y, size_t ldy, const float *restrict z,
                       size_t M, size_t N, size_t lanes, bool accumulate)
{
    size_t c = 0;

    for (; c + 16 <= N; c += 16)
        for (size_t m = 0; m < M; m += 16)
            put16(y + m * ldy + c, ldy, z + c * lanes + m,
                  M - m < 16 ? M - m : 16, lanes, accumulate);
    for (; c < N; c++)
        for (size_t m = 0; m < M; m++) {
            float *y_mc = y + m * ldy + c;

            *y_mc = accumulate ? *y_mc + z[c * lanes + m] : z[c * lanes + m];
        }
}

ROWWISE_AT_V4 static void turn_v4(float *restrict turned,
                                  const float *restrict x, size_t ldx, size_t M,
                                  size_t K, size_t lanes)
{
    turn_all(turned, x, ldx, M, K, lanes);
}

ROWWISE_AT_V4 static void put_v4(float *restrict y, size_t ldy,
                                 const float *restrict z, size_t M, size_t N,
                                 size_t lanes, bool accumulate)
{
    put_all(y, ldy, z, M, N, lanes, accumulate);
}

/* out[4,4], rows ldo floats apart, of x transposed. */
NN_INLINE void turn4(float *restrict out, size_t ldo, const float *restrict x,
                     size_t ldx)
{
    v4 r[4], t[4];

    for (size_t i = 0; i < 4; i++)
        memcpy(&r[i], x + i * ldx, sizeof r[i]);
    for (size_t i = 0; i < 2; i++) {
        t[i] = __builtin_shufflevector(r[i], r[i + 2], 0, 4, 1, 5);
        t[i + 2] = __builtin_shufflevector(r[i], r[i + 2], 2, 6, 3, 7);
    }
    for (size_t i = 0; i < 4; i += 2) {
        r[i] = __builtin_shufflevector(t[i], t[i + 1], 0, 4, 1, 5);
        r[i + 1] = __builtin_shufflevector(t[i], t[i + 1], 2, 6, 3, 7);
    }
    for (size_t i = 0; i < 4; i++)
        memcpy(out + i * ldo, &r[i], sizeof r[i]);
}

static void turn_plain(float *restrict turned, const float *restrict x,
                       size_t ldx, size_t M, size_t K, size_t lanes)
{
    for (size_t k = 0; k < K; k += 4)
        for (size_t m = 0; m < lanes; m += 4) {
            if (k + 4 <= K && m + 4 <= M) {
                turn4(turned + k * lanes + m, lanes, x + m * ldx + k, ldx);
                continue;
            }
            for (size_t i = k; i < k + 4 && i < K; i++)
                for (size_t j = m; j < m + 4; j++)
                    turned[i * lanes + j] = j < M ? x[j * ldx + i] : 0.0f;
        }
}

static void put_plain(float *restrict y, size_t ldy, const float *restrict z,
                      size_t M, size_t N, size_t lanes, bool accumulate)
{
    for (size_t c = 0; c < N; c += 4)
        for (size_t m = 0; m < M; m += 4) {
            float t[4][4] = {{0}};

            if (c + 4 <= N)
                turn4(t[0], 4, z + c * lanes + m, lanes);
            for (size_t j = 0; j < 4 && m + j < M; j++)
                for (size_t i = 0; i < 4 && c + i < N; i++) {
                    float *to = y + (m + j) * ldy + c + i;
                    float new =
                        c + 4 <= N ? t[j][i] : z[(c + i) * lanes + m + j];

                    *to = accumulate ? *to + new : new;
                }
        }
}

void rowwise_turn(float *restrict turned, const float *restrict x, size_t ldx,
                  size_t M, size_t K, size_t lanes, enum rowwise_level level)
{
    assert(M <= lanes);
    if (level >= ROWWISE_V4)
        turn_v4(turned, x, ldx, M, K, lanes);
    else
        turn_plain(turned, x, ldx, M, K, lanes);
}

void rowwise_put_back(float *restrict y, size_t ldy, const float *restrict z,
                      size_t M, size_t N, size_t lanes, bool accumulate,
                      enum rowwise_level level)
{
    if (level >= ROWWISE_V4)
        put_v4(y, ldy, z, M, N, lanes, accumulate);
    else
        put_plain(y, ldy, z, M, N, lanes, accumulate);
}

/* ---- factors in bfloat16 ------------------------------------------------- */

/* A word never lies behind the first of the numbers that it is made of. */
NN_CLONES void rowwise_pair(float *turned, size_t K, size_t lanes)
{
    for (size_t k = 0; k < K; k += 2) {
        const float *one = turned + k * lanes;
        float *word = turned + k / 2 * lanes;

#pragma omp simd
        for (size_t i = 0; i < lanes; i++) {
            uint32_t low = gemm16_nearest(one[i]), high = 0;

            if (k + 1 < K)
                high = gemm16_nearest(one[lanes + i]);
            low |= high << 16;
            memcpy(&word[i], &low, sizeof low);
        }
    }
}
