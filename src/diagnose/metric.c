#include "diagnose/metric.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>

struct metric_column metric_find(const struct run_table *t, const char *name)
{
    size_t c = t->n > 0 ? run_table_find(t, name) : SIZE_MAX;
    if (c == SIZE_MAX)
        return (struct metric_column){.value = NULL};
    return (struct metric_column){t->value + c, t->n, t->columns};
}

double metric_at(const struct metric_column *m, size_t i)
{
    if (m->value == NULL)
        return (double)NAN;
    assert(i < m->n);
    return m->value[i * m->stride];
}

double metric_mean(const struct metric_column *m)
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < m->n; i++) {
        double x = metric_at(m, i);
        if (isnan(x))
            continue;
        sum += x;
        n++;
    }
    return sum / n;
}

double metric_largest(const struct metric_column *m)
{
    double most = (double)NAN;
    for (size_t i = 0; i < m->n; i++)
        most = fmax(most, metric_at(m, i));
    return most;
}

double metric_first(const struct metric_column *m)
{
    return metric_at(m, 0);
}

double metric_last(const struct metric_column *m)
{
    return metric_at(m, m->n > 0 ? m->n - 1 : 0);
}
