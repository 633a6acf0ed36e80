#include "nn/rope.h"

#include <assert.h>
#include <math.h>

#define TWO_PI 6.283185307179586

static double stretch_rate(double rate, const struct rope_stretch *s)
{
    double turns, share;

    switch (s->kind) {
    case ROPE_LINEAR:
        return rate / s->factor;
    case ROPE_LLAMA3:
        turns = s->original * rate / TWO_PI;
        share = (turns - s->low) / (s->high - s->low);
        share = share < 0 ? 0 : share > 1 ? 1 : share;
        return (1 - share) * rate / s->factor + share * rate;
    case ROPE_PLAIN:
        break;
    }
    return rate;
}

void rope_rates(double *rate, size_t D, double theta,
                const struct rope_stretch *stretch)
{
    assert(D % 2 == 0 && D <= ROPE_D_MAX);
    for (size_t i = 0; i < D / 2; i++)
        rate[i] =
            stretch_rate(pow(theta, -2.0 * (double)i / (double)D), stretch);
}

static void fill_row(float *row, const double *rate, size_t t, size_t D)
{
    size_t half = D / 2;
    for (size_t i = 0; i < half; i++) {
        row[i] = (float)cos((double)t * rate[i]);
        row[half + i] = (float)sin((double)t * rate[i]);
    }
}

void rope_table(float *table, const double *rate, size_t T, size_t D)
{
    for (size_t t = 0; t < T; t++)
        fill_row(table + t * D, rate, t, D);
}

/* Turn `heads` heads of one row by the angles of one table row; `sign` is -1
 * to turn back. */
NN_INLINE void turn_row(float *x, const float *angle, size_t heads, size_t half,
                        float sign)
{
    for (size_t h = 0; h < heads; h++) {
        float *lo = x + h * 2 * half;
        float *hi = lo + half;
#pragma omp simd
        for (size_t i = 0; i < half; i++) {
            float c = angle[i], s = sign * angle[half + i];
            float a = lo[i], b = hi[i];
            lo[i] = a * c - b * s;
            hi[i] = b * c + a * s;
        }
    }
}

NN_CLONES void rope_apply(float *restrict x, size_t stride,
                          const struct rope *rope,
                          const int32_t *restrict position, size_t N,
                          size_t heads, bool inverse)
{
    size_t D = rope->D;
    float sign = inverse ? -1.0f : 1.0f;
    float beyond[ROPE_D_MAX];
    for (size_t n = 0; n < N; n++) {
        float *x_n = x + n * stride;
        size_t t = (size_t)position[n];
        const float *angle = beyond;
        if (t < rope->T)
            angle = rope->table + t * D;
        else
            fill_row(beyond, rope->rate, t, D);
        /* The usual head sizes get loops of known length. */
        if (D == 16)
            turn_row(x_n, angle, heads, 8, sign);
        else if (D == 64)
            turn_row(x_n, angle, heads, 32, sign);
        else
            turn_row(x_n, angle, heads, D / 2, sign);
    }
}
