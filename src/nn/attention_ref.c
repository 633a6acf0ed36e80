#include "nn/attention_ref.h"

#include <math.h>
#include <string.h>

static double dot(const double *a, const double *b, size_t D)
{
    double sum = 0.0;
    for (size_t d = 0; d < D; d++)
        sum += a[d] * b[d];
    return sum;
}

/*
 * One query over keys and values 0..n-1, which are `stride` apart; the
 * logarithm of the sum of exponentials comes back.
 */
static double attend(double *out, const double *query, const double *key,
                     const double *value, size_t stride, size_t n, size_t D)
{
    double scale = 1.0 / sqrt((double)D), max = -INFINITY, sum = 0.0;
    for (size_t s = 0; s < n; s++)
        max = fmax(max, dot(query, key + s * stride, D) * scale);
    for (size_t s = 0; s < n; s++)
        sum += exp(dot(query, key + s * stride, D) * scale - max);
    double lse = max + log(sum);
    for (size_t d = 0; d < D; d++)
        out[d] = 0.0;
    for (size_t s = 0; s < n; s++) {
        double p = exp(dot(query, key + s * stride, D) * scale - lse);
        for (size_t d = 0; d < D; d++)
            out[d] += p * value[s * stride + d];
    }
    return lse;
}

void attention_forward_ref(double *out, double *lse, const double *qkv,
                           const struct pack *pack, size_t H, size_t G,
                           size_t D)
{
    size_t stride = (H + 2 * G) * D;
    for (size_t i = 0; i < pack->n_seq; i++) {
        const double *seq = qkv + pack->start[i] * stride;
        for (size_t n = pack->start[i]; n < pack->start[i + 1]; n++) {
            for (size_t h = 0; h < H; h++) {
                size_t g = h / (H / G);
                lse[n * H + h] =
                    attend(out + (n * H + h) * D, qkv + n * stride + h * D,
                           seq + (H + g) * D, seq + (H + G + g) * D, stride,
                           n - pack->start[i] + 1, D);
            }
        }
    }
}

void attention_backward_ref(double *dqkv, const double *dout, const double *out,
                            const double *lse, const double *qkv,
                            const struct pack *pack, size_t H, size_t G,
                            size_t D)
{
    size_t stride = (H + 2 * G) * D;
    double scale = 1.0 / sqrt((double)D);
    memset(dqkv, 0, pack->N * stride * sizeof *dqkv);
    for (size_t i = 0; i < pack->n_seq; i++) {
        for (size_t t = pack->start[i]; t < pack->start[i + 1]; t++) {
            for (size_t h = 0; h < H; h++) {
                size_t g = h / (H / G), at_q = t * stride + h * D;
                const double *dout_th = dout + (t * H + h) * D;
                double delta = dot(dout_th, out + (t * H + h) * D, D);
                for (size_t s = pack->start[i]; s <= t; s++) {
                    size_t at_k = s * stride + (H + g) * D;
                    size_t at_v = at_k + G * D;
                    double a = dot(qkv + at_q, qkv + at_k, D) * scale;
                    double p = exp(a - lse[t * H + h]);
                    double dp = dot(dout_th, qkv + at_v, D);
                    double da = p * (dp - delta);
                    for (size_t d = 0; d < D; d++) {
                        dqkv[at_v + d] += p * dout_th[d];
                        dqkv[at_q + d] += da * scale * qkv[at_k + d];
                        dqkv[at_k + d] += da * scale * qkv[at_q + d];
                    }
                }
            }
        }
    }
}

void attention_decode_ref(double *out, const double *qkv, const double *key,
                          const double *value, const size_t *slot,
                          const size_t *len, size_t B, size_t T_max, size_t H,
                          size_t G, size_t D)
{
    for (size_t b = 0; b < B; b++) {
        for (size_t h = 0; h < H; h++) {
            size_t first = slot[b] * T_max * G * D + h / (H / G) * D;
            attend(out + (b * H + h) * D, qkv + (b * (H + 2 * G) + h) * D,
                   key + first, value + first, G * D, len[b], D);
        }
    }
}
