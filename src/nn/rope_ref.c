#include "nn/rope_ref.h"

#include <math.h>

/* Written in wavelengths, as the Llama 3.1 configuration's keys are. */
double rope_rate_ref(size_t i, size_t D, double theta,
                     const struct rope_stretch *stretch)
{
    const double pi = acos(-1.0);
    double rate = 1.0 / pow(theta, 2.0 * (double)i / (double)D);
    double wave = 2.0 * pi / rate;
    if (stretch->kind == ROPE_LINEAR)
        return rate / stretch->factor;
    if (stretch->kind == ROPE_PLAIN || wave < stretch->original / stretch->high)
        return rate;
    if (wave > stretch->original / stretch->low)
        return rate / stretch->factor;
    double share = (stretch->original / wave - stretch->low) /
                   (stretch->high - stretch->low);
    return (1.0 - share) * rate / stretch->factor + share * rate;
}

void rope_apply_ref(double *x, size_t stride, double theta,
                    const struct rope_stretch *stretch, const int32_t *position,
                    size_t N, size_t heads, size_t D, bool inverse)
{
    for (size_t n = 0; n < N; n++) {
        for (size_t i = 0; i < D / 2; i++) {
            double angle = position[n] * rope_rate_ref(i, D, theta, stretch);
            double c = cos(angle), s = inverse ? -sin(angle) : sin(angle);
            for (size_t h = 0; h < heads; h++) {
                double *head = x + n * stride + h * D;
                double a = head[i], b = head[i + D / 2];
                head[i] = a * c - b * s;
                head[i + D / 2] = a * s + b * c;
            }
        }
    }
}
