#include "nn/adamw.h"

#include <assert.h>
#include <math.h>

NN_CLONES void adamw_update(float *restrict w, float *restrict m,
                            float *restrict v, const float *restrict g,
                            size_t n, bool decay, const struct adamw *a)
{
    assert(a->t >= 1);
    /* Everything that does not depend on the element, in double. */
    double correct1 = 1.0 - pow(a->beta1, (double)a->t);
    double correct2 = 1.0 - pow(a->beta2, (double)a->t);
    float step = (float)(a->lr / correct1);
    float inverse2 = (float)(1.0 / correct2);
    /* Added to the move first: on its own, less than half a unit of the
     * weight would always be rounded away. */
    float shrink = (float)(decay ? a->lr * a->weight_decay : 0.0);
    float beta1 = (float)a->beta1, rest1 = (float)(1.0 - a->beta1);
    float beta2 = (float)a->beta2, rest2 = (float)(1.0 - a->beta2);
    float eps = (float)a->eps, scale = (float)a->grad_scale;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float g_i = g[i] * scale;
        m[i] = beta1 * m[i] + rest1 * g_i;
        v[i] = beta2 * v[i] + rest2 * g_i * g_i;
        float move = step * m[i] / (sqrtf(v[i] * inverse2) + eps);
        w[i] = w[i] - (shrink * w[i] + move);
    }
}

NN_CLONES double adamw_square_sum(const float *g, size_t n)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += (double)g[i] * (double)g[i];
    return sum;
}
