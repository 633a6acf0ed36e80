#include "nn/weight.h"

#include <assert.h>
#include <string.h>

#include "nn/gemm16.h"
#include "nn/skinny.h"

/* Floats that are widened at once: half a megabyte stays in a core's second
 * level of cache while the product reads it. */
#define BLOCK ((size_t)1 << 17)
#define ROWS_MIN ((size_t)16)

static size_t block_rows(size_t K)
{
    size_t rows = BLOCK / (K > 0 ? K : 1);

    /* A multiple of 16 suits the product; very long rows go 16 at a time. */
    return rows < ROWS_MIN ? ROWS_MIN : rows / ROWS_MIN * ROWS_MIN;
}

/* Rows of the other factor that are rounded at once: two in a float. */
static size_t rounded_rows(size_t K)
{
    return 2 * block_rows(K);
}

size_t weight_scratch(size_t K)
{
    return block_rows(K) * K;
}

bool weight_rounds(struct weight w, size_t N)
{
    return w.rounded != NULL && N > SKINNY_ROWS;
}

static enum status rounded_nt(float *y, const float *x, struct weight w,
                              size_t N, size_t M, size_t K, bool accumulate,
                              float *scratch, struct err *err)
{
    uint16_t *some = (uint16_t *)(void *)scratch;
    size_t step = rounded_rows(K);

    for (size_t at = 0, rows; at < N; at += rows) {
        rows = N - at < step ? N - at : step;
        gemm16_round(some, x + at * K, rows * K);
        TRY(gemm16(&(struct gemm16){.form = GEMM_NT,
                                    .C = y + at * M,
                                    .ldc = M,
                                    .A = some,
                                    .lda = K,
                                    .B = w.rounded,
                                    .ldb = K,
                                    .M = rows,
                                    .N = M,
                                    .K = K,
                                    .accumulate = accumulate},
                   err));
    }
    return OK;
}

enum status weight_nn16(float *x, const uint16_t *y, size_t ldy,
                        struct weight w, size_t N, size_t M, size_t K,
                        bool accumulate, struct err *err)
{
    return gemm16(&(struct gemm16){.form = GEMM_NN,
                                   .C = x,
                                   .ldc = K,
                                   .A = y,
                                   .lda = ldy,
                                   .B = w.rounded,
                                   .ldb = K,
                                   .M = N,
                                   .N = K,
                                   .K = M,
                                   .accumulate = accumulate},
                  err);
}

NN_CLONES void weight_widen(float *restrict out, const uint16_t *restrict in,
                            size_t n)
{
    uint32_t bits;

    for (size_t i = 0; i < n; i++) {
        bits = (uint32_t)in[i] << 16;
        memcpy(&out[i], &bits, sizeof bits);
    }
}

/* The next rows from row `at` on, as floats; how many they are. */
static size_t widen_rows(float *scratch, struct weight w, size_t at, size_t M,
                         size_t K)
{
    size_t step = block_rows(K);
    size_t rows = M - at < step ? M - at : step;

    weight_widen(scratch, w.bf16 + at * K, rows * K);
    return rows;
}

enum status weight_nt(float *y, const float *x, struct weight w, size_t N,
                      size_t M, size_t K, bool accumulate, float *scratch,
                      struct err *err)
{
    assert((w.f32 == NULL) != (w.bf16 == NULL));
    if (weight_rounds(w, N))
        return rounded_nt(y, x, w, N, M, K, accumulate, scratch, err);
    if (w.f32 != NULL)
        return gemm_nt(y, x, w.f32, N, M, K, accumulate, err);
    for (size_t at = 0, rows; at < M; at += rows) {
        rows = widen_rows(scratch, w, at, M, K);
        TRY(gemm_part(&(struct gemm_part){.form = GEMM_NT,
                                          .C = y + at,
                                          .ldc = M,
                                          .A = x,
                                          .lda = K,
                                          .B = scratch,
                                          .ldb = K,
                                          .M = N,
                                          .N = rows,
                                          .K = K,
                                          .alpha = 1.0f,
                                          .accumulate = accumulate},
                      err));
    }
    return OK;
}

enum status weight_nn(float *x, const float *y, struct weight w, size_t N,
                      size_t M, size_t K, bool accumulate, float *scratch,
                      struct err *err)
{
    assert((w.f32 == NULL) != (w.bf16 == NULL));
    if (w.f32 != NULL)
        return gemm_nn(x, y, w.f32, N, K, M, accumulate, err);
    for (size_t at = 0, rows; at < M; at += rows) {
        rows = widen_rows(scratch, w, at, M, K);
        TRY(gemm_part(&(struct gemm_part){.form = GEMM_NN,
                                          .C = x,
                                          .ldc = K,
                                          .A = y + at,
                                          .lda = M,
                                          .B = scratch,
                                          .ldb = K,
                                          .M = N,
                                          .N = K,
                                          .K = rows,
                                          .alpha = 1.0f,
                                          .accumulate = accumulate || at > 0},
                      err));
    }
    return OK;
}

void weight_rows(float *restrict out, struct weight w,
                 const int32_t *restrict row, size_t N, size_t K)
{
    assert((w.f32 == NULL) != (w.bf16 == NULL));
    for (size_t n = 0; n < N; n++) {
        size_t at = (size_t)row[n] * K;

        assert(row[n] >= 0);
        if (w.f32 != NULL)
            memcpy(out + n * K, w.f32 + at, K * sizeof *out);
        else
            weight_widen(out + n * K, w.bf16 + at, K);
    }
}
