#include "nn/paged_ref.h"

#include <math.h>

static double score(const double *q, const double *k, size_t D)
{
    double sum = 0;

    for (size_t d = 0; d < D; d++)
        sum += q[d] * k[d];
    return sum / sqrt((double)D);
}

void paged_attend_ref(double *out, const double *query, const double *key,
                      const double *value, size_t len, size_t H, size_t G,
                      size_t D)
{
    for (size_t h = 0; h < H; h++) {
        const double *q = query + h * D;
        size_t at = h / (H / G) * D;
        double max = -INFINITY;
        double sum = 0;

        for (size_t s = 0; s < len; s++)
            max = fmax(max, score(q, key + s * G * D + at, D));
        for (size_t d = 0; d < D; d++)
            out[h * D + d] = 0;
        for (size_t s = 0; s < len; s++) {
            double p = exp(score(q, key + s * G * D + at, D) - max);

            sum += p;
            for (size_t d = 0; d < D; d++)
                out[h * D + d] += p * value[s * G * D + at + d];
        }
        for (size_t d = 0; d < D; d++)
            out[h * D + d] /= sum;
    }
}
