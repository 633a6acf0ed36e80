#include "nn/ops.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "nn/fastmath.h"

void embed_backward(float *restrict dtable, const float *restrict dout,
                    const int32_t *restrict token, size_t N, size_t C)
{
    for (size_t n = 0; n < N; n++) {
        assert(token[n] >= 0);
        add_into(dtable + (size_t)token[n] * C, dout + n * C, C);
    }
}

void position_forward(float *restrict x, const float *restrict table,
                      const int32_t *restrict position, size_t N, size_t C)
{
    for (size_t n = 0; n < N; n++) {
        assert(position[n] >= 0);
        add_into(x + n * C, table + (size_t)position[n] * C, C);
    }
}

/* One row; out may be x. */
NN_INLINE float norm_row(float *out, const float *x, const float *weight,
                         size_t C, float eps)
{
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (size_t c = 0; c < C; c++)
        sum += x[c] * x[c];
    float scale = 1.0f / sqrtf(sum / (float)C + eps);
#pragma omp simd
    for (size_t c = 0; c < C; c++)
        out[c] = x[c] * scale * weight[c];
    return scale;
}

NN_CLONES void rmsnorm_forward(float *restrict out, float *restrict rstd,
                               const float *restrict x,
                               const float *restrict weight, size_t N, size_t C,
                               float eps)
{
    for (size_t n = 0; n < N; n++) {
        float scale = norm_row(out + n * C, x + n * C, weight, C, eps);
        if (rstd != NULL)
            rstd[n] = scale;
    }
}

/*
 * out = x rstd weight, and rstd depends on every x of the row:
 *     drstd/dx[c] = -rstd^3 x[c] / C
 */
NN_CLONES void rmsnorm_backward(float *restrict dx, float *restrict dweight,
                                const float *restrict dout,
                                const float *restrict x,
                                const float *restrict weight,
                                const float *restrict rstd, size_t N, size_t C)
{
    for (size_t n = 0; n < N; n++) {
        const float *x_n = x + n * C;
        const float *dout_n = dout + n * C;
        float *dx_n = dx + n * C;
        float scale = rstd[n];
        float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (size_t c = 0; c < C; c++)
            sum += dout_n[c] * weight[c] * x_n[c];
        float pull = sum * scale * scale * scale / (float)C;
#pragma omp simd
        for (size_t c = 0; c < C; c++)
            dx_n[c] += dout_n[c] * weight[c] * scale - x_n[c] * pull;
        if (dweight == NULL)
            continue;
#pragma omp simd
        for (size_t c = 0; c < C; c++)
            dweight[c] += dout_n[c] * x_n[c] * scale;
    }
}

NN_CLONES void headnorm_forward(float *restrict x, float *restrict raw,
                                float *restrict rstd,
                                const float *restrict weight, size_t N,
                                size_t stride, size_t heads, size_t D,
                                float eps)
{
    for (size_t n = 0; n < N; n++) {
        float *x_n = x + n * stride;
        if (raw != NULL)
            memcpy(raw + n * heads * D, x_n, heads * D * sizeof *raw);
        for (size_t h = 0; h < heads; h++) {
            float scale = norm_row(x_n + h * D, x_n + h * D, weight, D, eps);
            if (rstd != NULL)
                rstd[n * heads + h] = scale;
        }
    }
}

NN_CLONES void headnorm_backward(float *restrict dx, float *restrict dweight,
                                 const float *restrict raw,
                                 const float *restrict weight,
                                 const float *restrict rstd, size_t N,
                                 size_t stride, size_t heads, size_t D)
{
    for (size_t i = 0; i < N * heads; i++) {
        float *dx_h = dx + i / heads * stride + i % heads * D;
        const float *x = raw + i * D;
        float scale = rstd[i];
        float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (size_t d = 0; d < D; d++)
            sum += dx_h[d] * weight[d] * x[d];
        float pull = sum * scale * scale * scale / (float)D;
        /* dx still is the gradient of what came out. */
        if (dweight != NULL) {
#pragma omp simd
            for (size_t d = 0; d < D; d++)
                dweight[d] += dx_h[d] * x[d] * scale;
        }
#pragma omp simd
        for (size_t d = 0; d < D; d++)
            dx_h[d] = dx_h[d] * weight[d] * scale - x[d] * pull;
    }
}

NN_CLONES void swiglu_forward(float *restrict out,
                              const float *restrict gate_up, size_t N, size_t F)
{
    for (size_t n = 0; n < N; n++) {
        const float *gate = gate_up + n * 2 * F;
        const float *up = gate + F;
        float *out_n = out + n * F;
#pragma omp simd
        for (size_t f = 0; f < F; f++)
            out_n[f] = gate[f] / (1.0f + fastmath_exp(-gate[f])) * up[f];
    }
}

/* With s = sigmoid(z): silu'(z) = s (1 + z (1 - s)). */
NN_CLONES void swiglu_backward(float *restrict dgate_up,
                               const float *restrict dout,
                               const float *restrict gate_up, size_t N,
                               size_t F)
{
    for (size_t n = 0; n < N; n++) {
        const float *gate = gate_up + n * 2 * F;
        const float *up = gate + F;
        const float *dout_n = dout + n * F;
        float *dgate = dgate_up + n * 2 * F;
        float *dup = dgate + F;
#pragma omp simd
        for (size_t f = 0; f < F; f++) {
            float z = gate[f];
            float s = 1.0f / (1.0f + fastmath_exp(-z));
            dgate[f] = dout_n[f] * up[f] * s * (1.0f + z * (1.0f - s));
            dup[f] = dout_n[f] * z * s;
        }
    }
}

/* 2 sqrt(2/pi) and its product with 0.044715: 2u = x (GELU_A + GELU_B x^2). */
#define GELU_A 1.5957691216057308f
#define GELU_B 0.07135481627260025f

NN_CLONES void gelu_forward(float *restrict out, const float *restrict x,
                            size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float z = x[i];
        float twice_u = z * (GELU_A + GELU_B * z * z);
        out[i] = z / (1.0f + fastmath_exp(-twice_u));
    }
}

/* With s = sigmoid(2u): (x s)' = s + x s (1 - s) (2u)'. */
NN_CLONES void gelu_backward(float *restrict dx, const float *restrict dout,
                             const float *restrict x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float z = x[i];
        float twice_u = z * (GELU_A + GELU_B * z * z);
        float slope = GELU_A + 3.0f * GELU_B * z * z;
        float s = 1.0f / (1.0f + fastmath_exp(-twice_u));
        dx[i] = dout[i] * (s + z * s * (1.0f - s) * slope);
    }
}

NN_CLONES void bias_forward(float *restrict y, const float *restrict bias,
                            size_t N, size_t M)
{
    for (size_t n = 0; n < N; n++) {
#pragma omp simd
        for (size_t m = 0; m < M; m++)
            y[n * M + m] += bias[m];
    }
}

NN_CLONES void bias_backward(float *restrict dbias, const float *restrict dy,
                             size_t N, size_t M)
{
    for (size_t n = 0; n < N; n++) {
#pragma omp simd
        for (size_t m = 0; m < M; m++)
            dbias[m] += dy[n * M + m];
    }
}

NN_CLONES void add_into(float *restrict x, const float *restrict y, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}
