#include "nn/adamw_ref.h"

#include <math.h>

void adamw_update_ref(double *w, double *m, double *v, const double *g,
                      size_t n, bool decay, const struct adamw *a)
{
    double t = (double)a->t;
    for (size_t i = 0; i < n; i++) {
        double g_i = g[i] * a->grad_scale;
        m[i] = a->beta1 * m[i] + (1.0 - a->beta1) * g_i;
        v[i] = a->beta2 * v[i] + (1.0 - a->beta2) * g_i * g_i;
        double m_hat = m[i] / (1.0 - pow(a->beta1, t));
        double v_hat = v[i] / (1.0 - pow(a->beta2, t));
        if (decay)
            w[i] -= a->lr * a->weight_decay * w[i];
        w[i] -= a->lr * m_hat / (sqrt(v_hat) + a->eps);
    }
}
