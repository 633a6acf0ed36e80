#include "stat/distribution.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

double distribution_normal_tail(double z)
{
    return erfc(z / sqrt(2.0)) / 2;
}

/* Where a decreasing tail(t, degrees) crosses p in (0, 1/2], t >= 0. */
static double cross(double (*tail)(double t, double degrees), double degrees,
                    double p)
{
    double high = 1;
    while (tail(high, degrees) > p && high < 1e300)
        high *= 2;
    /* Halving ends when low and high are neighbours. */
    double low = 0;
    for (;;) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            return middle;
        if (tail(middle, degrees) > p)
            low = middle;
        else
            high = middle;
    }
}

static double quantile(double (*tail)(double t, double degrees), double degrees,
                       double p)
{
    if (!(p >= 0 && p <= 1))
        return (double)NAN;
    if (p == 0 || p == 1)
        return p == 0 ? -(double)INFINITY : (double)INFINITY;
    if (p == 0.5)
        return 0;
    return p < 0.5 ? -cross(tail, degrees, p) : cross(tail, degrees, 1 - p);
}

static double normal_tail(double z, double degrees)
{
    (void)degrees;
    return distribution_normal_tail(z);
}

double distribution_normal_quantile(double p)
{
    return quantile(normal_tail, 0, p);
}

double distribution_t_quantile(double p, double degrees)
{
    return quantile(distribution_t_tail, degrees, p);
}

/* Gamma(a + 1/2) / Gamma(a): its series in 1/a, after a has been raised to
 * where the first term left out is 1e-16 of the sum. */
static double half_gamma_ratio(double a)
{
    double factor = 1;
    while (a < 1000) {
        factor *= a / (a + 0.5);
        a += 1;
    }
    double u = 1 / a;
    double series =
        1 + u * (-1.0 / 8 +
                 u * (1.0 / 128 + u * (5.0 / 1024 + u * (-21.0 / 32768))));
    return factor * sqrt(a) * series;
}

/* Lentz's evaluation of the continued fraction of I_x(a,b). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1;
    double d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m < 100000; m++) {
        double m2 = 2.0 * m;
        double even = m * (b - m) * x / ((a + m2 - 1) * (a + m2));
        double odd = -(a + m) * (a + b + m) * x / ((a + m2) * (a + m2 + 1));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        f *= d * c;
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        f *= d * c;
        if (fabs(d * c - 1) < 1e-16)
            break;
    }
    return f;
}

double distribution_t_tail(double t, double degrees)
{
    if (isnan(t) || !(degrees > 0))
        return (double)NAN;
    if (isinf(degrees))
        return distribution_normal_tail(t);
    if (t < 0)
        return 1 - distribution_t_tail(-t, degrees);
    double a = degrees / 2;
    double square = t / degrees * t; // t^2 / degrees
    if (isinf(square))
        return 0;
    /* x^a (1-x)^(1/2) / B(a, 1/2), with x = 1 / (1 + square). */
    double y = square / (1 + square);
    double front =
        exp(-a * log1p(square)) * sqrt(y) * half_gamma_ratio(a) / sqrt(pi);
    double x = 1 / (1 + square);
    if (x < (a + 1) / (a + 2.5))
        return front * beta_fraction(a, 0.5, x) / a / 2;
    return 0.5 - front * beta_fraction(0.5, a, y);
}

/* log(n!) - log(sqrt(2 pi n) (n/e)^n): Stirling's error. */
static double stirling_error(double n)
{
    if (n < 16) {
        double log_factorial = 0;
        for (int i = 2; i <= (int)n; i++)
            log_factorial += log(i);
        return log_factorial -
               (n == 0 ? 0 : log(2 * pi * n) / 2 + n * log(n) - n);
    }
    double u = 1 / (n * n);
    return (1.0 / 12 -
            u * (1.0 / 360 - u * (1.0 / 1260 - u * (1.0 / 1680 - u / 1188)))) /
           n;
}

/* x log(x / m) + m - x, without cancelling when x is near m. */
static double deviance(double x, double m)
{
    double v = (x - m) / (x + m);
    if (fabs(v) > 0.1)
        return x * log(x / m) + m - x;
    /* log(x/m) = 2 atanh v, and x - m = v (x + m). */
    double sum = v * (x - m);
    double term = 2 * x * v;
    for (int j = 3; j < 60; j += 2) {
        term *= v * v;
        double next = sum + term / j;
        if (next == sum)
            break;
        sum = next;
    }
    return sum;
}

/* P(X = k), 0 < p < 1. */
static double binomial_at(double k, double n, double p)
{
    if (k == 0)
        return exp(n * log1p(-p));
    if (k == n)
        return exp(n * log(p));
    double l = stirling_error(n) - stirling_error(k) - stirling_error(n - k) -
               deviance(k, n * p) - deviance(n - k, n * (1 - p));
    return exp(l) * sqrt(n / (2 * pi * k * (n - k)));
}

/* P(X >= k) for k above the mean: terms fall from the first on. */
static double upper_tail(double k, double n, double p)
{
    double term = binomial_at(k, n, p);
    double sum = term;
    for (; k < n && term > sum * 1e-18; k++) {
        term *= (n - k) / (k + 1) * p / (1 - p);
        sum += term;
    }
    return sum;
}

double distribution_binomial_tail(size_t k, size_t n, double p)
{
    if (!(p >= 0 && p <= 1))
        return (double)NAN;
    if (k == 0)
        return 1;
    if (k > n || p == 0)
        return 0;
    if (p == 1)
        return 1;
    double kd = (double)k;
    double nd = (double)n;
    if (kd >= nd * p)
        return upper_tail(kd, nd, p);
    /* P(X < k) counts failures from n - k + 1 up. */
    return 1 - upper_tail(nd - kd + 1, nd, 1 - p);
}
