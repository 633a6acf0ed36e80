#include "nn/layernorm_ref.h"

#include <math.h>

void layernorm_forward_ref(double *out, double *mean, double *rstd,
                           const double *x, const double *weight,
                           const double *bias, size_t N, size_t C, double eps)
{
    for (size_t n = 0; n < N; n++) {
        double variance = 0.0;
        mean[n] = 0.0;
        for (size_t c = 0; c < C; c++)
            mean[n] += x[n * C + c] / (double)C;
        for (size_t c = 0; c < C; c++)
            variance += pow(x[n * C + c] - mean[n], 2.0) / (double)C;
        rstd[n] = 1.0 / sqrt(variance + eps);
        for (size_t c = 0; c < C; c++)
            out[n * C + c] =
                (x[n * C + c] - mean[n]) * rstd[n] * weight[c] + bias[c];
    }
}

void layernorm_backward_ref(double *dx, double *dweight, double *dbias,
                            const double *dout, const double *x,
                            const double *weight, const double *mean,
                            const double *rstd, size_t N, size_t C)
{
    for (size_t n = 0; n < N; n++) {
        /* out[c] = (x[c] - mean) rstd weight[c] + bias[c] */
        double drstd = 0.0, dmean = 0.0;
        for (size_t c = 0; c < C; c++) {
            double dout_c = dout[n * C + c], off = x[n * C + c] - mean[n];
            dweight[c] += dout_c * off * rstd[n];
            dbias[c] += dout_c;
            dx[n * C + c] += dout_c * rstd[n] * weight[c];
            dmean -= dout_c * rstd[n] * weight[c];
            drstd += dout_c * off * weight[c];
        }
        /* rstd = (variance + eps)^(-1/2); the variance's own slope along the
         * mean is nought, the differences summing to nought. */
        double dvariance = drstd * -0.5 * pow(rstd[n], 3.0);
        for (size_t c = 0; c < C; c++)
            dx[n * C + c] +=
                dvariance * 2.0 * (x[n * C + c] - mean[n]) / (double)C +
                dmean / (double)C;
    }
}
