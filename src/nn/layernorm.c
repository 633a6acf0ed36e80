#include "nn/layernorm.h"

#include <math.h>

/* The variance is of the differences, not E[x^2] - E[x]^2, which loses all
 * digits where the mean is large. */
NN_CLONES void layernorm_forward(float *restrict out, float *restrict mean,
                                 float *restrict rstd, const float *restrict x,
                                 const float *restrict weight,
                                 const float *restrict bias, size_t N, size_t C,
                                 float eps)
{
    for (size_t n = 0; n < N; n++) {
        const float *x_n = x + n * C;
        float *out_n = out + n * C;
        float sum = 0.0f, square = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (size_t c = 0; c < C; c++)
            sum += x_n[c];
        float centre = sum / (float)C;
#pragma omp simd reduction(+ : square)
        for (size_t c = 0; c < C; c++)
            square += (x_n[c] - centre) * (x_n[c] - centre);
        float scale = 1.0f / sqrtf(square / (float)C + eps);
#pragma omp simd
        for (size_t c = 0; c < C; c++)
            out_n[c] = (x_n[c] - centre) * scale * weight[c] + bias[c];
        if (mean != NULL)
            mean[n] = centre;
        if (rstd != NULL)
            rstd[n] = scale;
    }
}

/*
 * With y = (x - mean) rstd and dy = dout weight, mean and rstd depend on every
 * x of the row:
 *     dx = rstd (dy - mean(dy) - y mean(dy y))
 */
NN_CLONES void
layernorm_backward(float *restrict dx, float *restrict dweight,
                   float *restrict dbias, const float *restrict dout,
                   const float *restrict x, const float *restrict weight,
                   const float *restrict mean, const float *restrict rstd,
                   size_t N, size_t C)
{
    for (size_t n = 0; n < N; n++) {
        const float *x_n = x + n * C;
        const float *dout_n = dout + n * C;
        float *dx_n = dx + n * C;
        float centre = mean[n], scale = rstd[n];
        float sum = 0.0f, along = 0.0f;
#pragma omp simd reduction(+ : sum, along)
        for (size_t c = 0; c < C; c++) {
            float dy = dout_n[c] * weight[c];
            sum += dy;
            along += dy * ((x_n[c] - centre) * scale);
        }
        float push = sum / (float)C, pull = along / (float)C;
#pragma omp simd
        for (size_t c = 0; c < C; c++) {
            float y = (x_n[c] - centre) * scale;
            dx_n[c] += scale * (dout_n[c] * weight[c] - push - y * pull);
        }
        if (dweight == NULL)
            continue;
#pragma omp simd
        for (size_t c = 0; c < C; c++) {
            dweight[c] += dout_n[c] * ((x_n[c] - centre) * scale);
            dbias[c] += dout_n[c];
        }
    }
}
