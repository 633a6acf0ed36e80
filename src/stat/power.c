#include "stat/power.h"

#include <math.h>

#include "stat/distribution.h"

struct limits {
    double a, b;
};

/* za at 1 - alpha / sides, and zb. */
static struct limits limits(const struct power *want, double sides)
{
    double alpha = want->alpha > 0 ? want->alpha : 0.05;
    double power = want->power > 0 ? want->power : 0.8;
    return (struct limits){distribution_normal_quantile(1 - alpha / sides),
                           distribution_normal_quantile(power)};
}

/* Rounded up; a number that is whole but for its last bits is whole. */
static size_t whole(double n)
{
    double up = ceil(n - 1e-9 * fabs(n));
    if (!(up < 0x1p53))
        return POWER_NEVER;
    return up > 0 ? (size_t)up : 0;
}

size_t power_paired(double sd, double delta, const struct power *want)
{
    struct limits z = limits(want, 2);
    double root = (z.a + z.b) * sd / delta;
    return whole(root * root);
}

size_t power_sign(double rate, const struct power *want)
{
    struct limits z = limits(want, 2);
    double root = (z.a / 2 + z.b * sqrt(rate * (1 - rate))) / (rate - 0.5);
    return whole(root * root);
}

double power_of_sign(size_t n, double rate, double alpha)
{
    /* The smallest count that is rejected: its tail is below alpha / 2. */
    size_t low = n / 2;
    size_t high = n + 1;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (2 * distribution_binomial_tail(middle, n, 0.5) < alpha)
            high = middle;
        else
            low = middle;
    }
    return distribution_binomial_tail(high, n, rate) +
           distribution_binomial_tail(high, n, 1 - rate);
}

size_t power_proportions(double a, double b, const struct power *want)
{
    struct limits z = limits(want, 2);
    double m = (a + b) / 2;
    double root =
        (z.a * sqrt(2 * m * (1 - m)) + z.b * sqrt(a * (1 - a) + b * (1 - b))) /
        (a - b);
    return whole(root * root);
}

/* From n to where `distance` is as many standard errors as z together. */
static size_t more(double distance, double se, size_t n, struct limits z)
{
    double root = fmax(z.a + z.b, 0) * se / distance;
    size_t all = whole(root * root * (double)n);
    if (all == POWER_NEVER)
        return all;
    return all > n ? all - n : 0;
}

size_t power_more(double estimate, double se, size_t n, double x,
                  const struct power *want)
{
    return more(estimate - x, se, n, limits(want, 2));
}

size_t power_more_equivalence(double estimate, double se, size_t n, double low,
                              double high, const struct power *want)
{
    double distance = fmin(estimate - low, high - estimate);
    if (!(distance > 0))
        return POWER_NEVER;
    return more(distance, se, n, limits(want, 1));
}
