#include "nn/ops_ref.h"

#include <math.h>

void embed_forward_ref(double *out, const double *table, const int32_t *token,
                       size_t N, size_t C)
{
    for (size_t n = 0; n < N; n++)
        for (size_t c = 0; c < C; c++)
            out[n * C + c] = table[(size_t)token[n] * C + c];
}

void embed_backward_ref(double *dtable, const double *dout,
                        const int32_t *token, size_t N, size_t C)
{
    for (size_t n = 0; n < N; n++)
        for (size_t c = 0; c < C; c++)
            dtable[(size_t)token[n] * C + c] += dout[n * C + c];
}

void position_forward_ref(double *x, const double *table,
                          const int32_t *position, size_t N, size_t C)
{
    for (size_t n = 0; n < N; n++)
        for (size_t c = 0; c < C; c++)
            x[n * C + c] += table[(size_t)position[n] * C + c];
}

void rmsnorm_forward_ref(double *out, double *rstd, const double *x,
                         const double *weight, size_t N, size_t C, double eps)
{
    for (size_t n = 0; n < N; n++) {
        double mean = 0.0;
        for (size_t c = 0; c < C; c++)
            mean += x[n * C + c] * x[n * C + c] / (double)C;
        rstd[n] = 1.0 / sqrt(mean + eps);
        for (size_t c = 0; c < C; c++)
            out[n * C + c] = x[n * C + c] * rstd[n] * weight[c];
    }
}

void rmsnorm_backward_ref(double *dx, double *dweight, const double *dout,
                          const double *x, const double *weight,
                          const double *rstd, size_t N, size_t C)
{
    for (size_t n = 0; n < N; n++) {
        /* out[c] = x[c] rstd weight[c] */
        double drstd = 0.0;
        for (size_t c = 0; c < C; c++) {
            double dout_c = dout[n * C + c], x_c = x[n * C + c];
            dweight[c] += dout_c * x_c * rstd[n];
            dx[n * C + c] += dout_c * rstd[n] * weight[c];
            drstd += dout_c * x_c * weight[c];
        }
        /* rstd = (mean x^2 + eps)^(-1/2) */
        double dmean = drstd * -0.5 * pow(rstd[n], 3.0);
        for (size_t c = 0; c < C; c++)
            dx[n * C + c] += dmean * 2.0 * x[n * C + c] / (double)C;
    }
}

void headnorm_forward_ref(double *x, double *raw, double *rstd,
                          const double *weight, size_t N, size_t stride,
                          size_t heads, size_t D, double eps)
{
    for (size_t n = 0; n < N; n++) {
        for (size_t h = 0; h < heads; h++) {
            double *head = x + n * stride + h * D;
            double *raw_h = raw + (n * heads + h) * D;
            for (size_t d = 0; d < D; d++)
                raw_h[d] = head[d];
            rmsnorm_forward_ref(head, rstd + n * heads + h, raw_h, weight, 1, D,
                                eps);
        }
    }
}

void headnorm_backward_ref(double *dx, double *dweight, const double *raw,
                           const double *weight, const double *rstd, size_t N,
                           size_t stride, size_t heads, size_t D)
{
    for (size_t n = 0; n < N; n++) {
        for (size_t h = 0; h < heads; h++) {
            const double *x = raw + (n * heads + h) * D;
            double *dhead = dx + n * stride + h * D;
            double r = rstd[n * heads + h];
            /* out[d] = x[d] r weight[d], r = (mean x^2 + eps)^(-1/2) */
            double dr = 0.0;
            for (size_t d = 0; d < D; d++) {
                dr += dhead[d] * x[d] * weight[d];
                dweight[d] += dhead[d] * x[d] * r;
            }
            for (size_t d = 0; d < D; d++)
                dhead[d] = dhead[d] * r * weight[d] -
                           dr * pow(r, 3.0) * x[d] / (double)D;
        }
    }
}

void swiglu_forward_ref(double *out, const double *gate_up, size_t N, size_t F)
{
    for (size_t n = 0; n < N; n++) {
        for (size_t f = 0; f < F; f++) {
            double gate = gate_up[n * 2 * F + f];
            double up = gate_up[n * 2 * F + F + f];
            out[n * F + f] = gate / (1.0 + exp(-gate)) * up;
        }
    }
}

void swiglu_backward_ref(double *dgate_up, const double *dout,
                         const double *gate_up, size_t N, size_t F)
{
    for (size_t n = 0; n < N; n++) {
        for (size_t f = 0; f < F; f++) {
            double gate = gate_up[n * 2 * F + f];
            double up = gate_up[n * 2 * F + F + f];
            double sigmoid = 1.0 / (1.0 + exp(-gate));
            double dsilu = sigmoid + gate * sigmoid * (1.0 - sigmoid);
            dgate_up[n * 2 * F + f] = dout[n * F + f] * up * dsilu;
            dgate_up[n * 2 * F + F + f] = dout[n * F + f] * gate * sigmoid;
        }
    }
}

void gelu_forward_ref(double *out, const double *x, size_t n)
{
    const double rate = sqrt(2.0 / acos(-1.0));
    for (size_t i = 0; i < n; i++) {
        double u = rate * (x[i] + 0.044715 * pow(x[i], 3.0));
        out[i] = 0.5 * x[i] * (1.0 + tanh(u));
    }
}

void gelu_backward_ref(double *dx, const double *dout, const double *x,
                       size_t n)
{
    const double rate = sqrt(2.0 / acos(-1.0));
    for (size_t i = 0; i < n; i++) {
        double t = tanh(rate * (x[i] + 0.044715 * pow(x[i], 3.0)));
        double du = rate * (1.0 + 3.0 * 0.044715 * x[i] * x[i]);
        /* out = x/2 (1 + tanh u), tanh' = 1 - tanh^2 */
        dx[i] = dout[i] * (0.5 * (1.0 + t) + 0.5 * x[i] * (1.0 - t * t) * du);
    }
}

void bias_forward_ref(double *y, const double *bias, size_t N, size_t M)
{
    for (size_t n = 0; n < N; n++)
        for (size_t m = 0; m < M; m++)
            y[n * M + m] += bias[m];
}

void bias_backward_ref(double *dbias, const double *dy, size_t N, size_t M)
{
    for (size_t n = 0; n < N; n++)
        for (size_t m = 0; m < M; m++)
            dbias[m] += dy[n * M + m];
}
