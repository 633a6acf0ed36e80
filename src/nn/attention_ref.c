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

/* What a row sees: keys and values of `before` rows from the `first` on, then
 * those from `own` on. */
struct seen {
    const double *key, *value; // of row 0; rows are `stride` apart
    size_t stride;
    size_t first, before, own;
};

/* Where the s-th seen row starts. */
static size_t seen_row(const struct seen *w, size_t s)
{
    return (s < w->before ? w->first + s : w->own + s - w->before) * w->stride;
}

static struct seen seen_by(const double *qkv, const struct pack *pack, size_t i,
                           size_t g, size_t H, size_t G, size_t D)
{
    struct seen w = {.key = qkv + (H + g) * D,
                     .value = qkv + (H + G + g) * D,
                     .stride = (H + 2 * G) * D,
                     .own = pack->start[i]};
    w.before = pack_before(&w.first, pack, i);
    return w;
}

/*
 * One query over the first n rows that it sees; the logarithm of the sum of
 * exponentials comes back.
 */
static double attend(double *out, const double *query, const struct seen *w,
                     size_t n, size_t D)
{
    double scale = 1.0 / sqrt((double)D), max = -INFINITY, sum = 0.0;
    for (size_t s = 0; s < n; s++)
        max = fmax(max, dot(query, w->key + seen_row(w, s), D) * scale);
    for (size_t s = 0; s < n; s++)
        sum += exp(dot(query, w->key + seen_row(w, s), D) * scale - max);
    double lse = max + log(sum);
    for (size_t d = 0; d < D; d++)
        out[d] = 0.0;
    for (size_t s = 0; s < n; s++) {
        size_t row = seen_row(w, s);
        double p = exp(dot(query, w->key + row, D) * scale - lse);
        for (size_t d = 0; d < D; d++)
            out[d] += p * w->value[row + d];
    }
    return lse;
}

void attention_forward_ref(double *out, double *lse, const double *qkv,
                           const struct pack *pack, size_t H, size_t G,
                           size_t D)
{
    size_t stride = (H + 2 * G) * D;
    for (size_t i = 0; i < pack->n_seq; i++) {
        for (size_t h = 0; h < H; h++) {
            struct seen w = seen_by(qkv, pack, i, h / (H / G), H, G, D);
            for (size_t t = pack->start[i]; t < pack->start[i + 1]; t++)
                lse[t * H + h] =
                    attend(out + (t * H + h) * D, qkv + t * stride + h * D, &w,
                           w.before + t - w.own + 1, D);
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
                struct seen w = seen_by(qkv, pack, i, g, H, G, D);
                const double *dout_th = dout + (t * H + h) * D;
                double delta = dot(dout_th, out + (t * H + h) * D, D);
                for (size_t s = 0; s <= w.before + t - w.own; s++) {
                    size_t at_k = seen_row(&w, s) + (H + g) * D;
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
