#include "stat/shift.h"

#include <math.h>

#include "stat/distribution.h"

/* The values of one side, and what a deviation from their mean weighs. */
struct side {
    double mean, scale;
    size_t m;
};

static struct side side_of(const double *x, size_t n)
{
    struct side s = {.m = 0};
    s.mean = summary_mean_of(x, NULL, n);
    for (size_t p = 0; p < n; p++)
        s.m += isnan(x[p]) ? 0 : 1;
    s.scale = 1 / sqrt((double)s.m * ((double)s.m - 1));
    return s;
}

static double part(const struct side *s, double x)
{
    return isnan(x) ? 0 : (x - s->mean) * s->scale;
}

struct estimate shift_estimate(const double *before, const double *after,
                               size_t n, double level)
{
    struct side x = side_of(before, n), y = side_of(after, n);
    struct estimate e = summary_nothing();
    double square = 0;
    if (x.m == 0 || y.m == 0)
        return e;
    for (size_t p = 0; p < n; p++)
        e.n += isnan(before[p]) && isnan(after[p]) ? 0 : 1;
    e.estimate = y.mean - x.mean;
    size_t least = x.m < y.m ? x.m : y.m;
    if (least < 2)
        return e;
    for (size_t p = 0; p < n; p++) {
        double h = part(&y, after[p]) - part(&x, before[p]);
        square += h * h;
    }
    double t = distribution_t_quantile((1 + (level > 0 ? level : 0.95)) / 2,
                                       (double)(least - 1));
    e.low = e.estimate - t * sqrt(square);
    e.high = e.estimate + t * sqrt(square);
    return e;
}
