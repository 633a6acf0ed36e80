#include "stat/hypothesis.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "stat/distribution.h"

struct hypothesis_t hypothesis_t_test(const double *x, size_t n, double level)
{
    struct hypothesis_t r = {.n = 0};
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i]))
            continue;
        sum += x[i];
        r.n++;
    }
    double count = (double)r.n;
    r.mean = r.n > 0 ? sum / count : (double)NAN;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]))
            squares += (x[i] - r.mean) * (x[i] - r.mean);
    r.degrees = r.n > 1 ? count - 1 : (double)NAN;
    r.se = sqrt(squares / r.degrees / count);
    r.t = r.mean / r.se;
    r.p = 2 * distribution_t_tail(fabs(r.t), r.degrees);
    double reach =
        r.n > 1 ? r.se * distribution_t_quantile((1 + level) / 2, r.degrees)
                : (double)NAN;
    r.low = r.mean - reach;
    r.high = r.mean + reach;
    return r;
}

struct hypothesis_sign hypothesis_sign_test(const double *x, size_t n)
{
    struct hypothesis_sign r = {.p = (double)NAN};
    for (size_t i = 0; i < n; i++) {
        r.above += x[i] > 0;
        r.below += x[i] < 0;
        r.ties += x[i] == 0;
    }
    size_t more = r.above > r.below ? r.above : r.below;
    if (more > 0)
        r.p = fmin(
            1, 2 * distribution_binomial_tail(more, r.above + r.below, 0.5));
    return r;
}

static int by_size(const void *a, const void *b)
{
    double x = fabs(*(const double *)a);
    double y = fabs(*(const double *)b);
    return (x > y) - (x < y);
}

/*
 * P(|W - mean| >= |plus - mean|), given twice the ranks: count the signs that
 * give each sum, one rank after the other.  Doubled, mean ranks are whole and
 * sums end at n (n + 1).
 */
static double exact_p(const size_t *twice, size_t n, double plus)
{
    double count[HYPOTHESIS_EXACT_MAX * (HYPOTHESIS_EXACT_MAX + 1) + 1] = {1};
    size_t top = 0;
    for (size_t i = 0; i < n; i++) {
        top += twice[i];
        for (size_t s = top; s >= twice[i]; s--)
            count[s] += count[s - twice[i]];
    }
    double far = fabs(2 * (2 * plus) - (double)top);
    double extreme = 0;
    for (size_t s = 0; s <= top; s++)
        if (fabs(2 * (double)s - (double)top) >= far)
            extreme += count[s];
    return extreme / ldexp(1, (int)n);
}

enum status hypothesis_wilcoxon_test(struct hypothesis_wilcoxon *out,
                                     const double *x, size_t n, struct err *err)
{
    struct hypothesis_wilcoxon r = {.z = (double)NAN, .p = (double)NAN};
    double *sorted = NULL;
    size_t twice[HYPOTHESIS_EXACT_MAX];
    TRY(MEM_NEW(sorted, n, err));
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]) && x[i] != 0)
            sorted[r.n++] = x[i];
    if (r.n > 1)
        qsort(sorted, r.n, sizeof *sorted, by_size);
    double ties = 0;
    r.is_exact = r.n <= HYPOTHESIS_EXACT_MAX;
    for (size_t i = 0; i < r.n;) {
        size_t j = i;
        while (j < r.n && fabs(sorted[j]) == fabs(sorted[i]))
            j++;
        double g = (double)(j - i);
        ties += g * g * g - g;
        /* Ranks i + 1 to j share their mean. */
        for (size_t k = i; k < j; k++) {
            r.plus += sorted[k] > 0 ? (double)(i + 1 + j) / 2 : 0;
            if (r.is_exact)
                twice[k] = i + 1 + j;
        }
        i = j;
    }
    double m = (double)r.n;
    double total = m * (m + 1) / 2;
    double variance = total * (2 * m + 1) / 12 - ties / 48;
    if (r.n > 0) {
        r.z = (r.plus - total / 2) / sqrt(variance);
        r.p = r.is_exact ? exact_p(twice, r.n, r.plus)
                         : 2 * distribution_normal_tail(fabs(r.z));
    }
    r.effect = r.n > 0 ? 2 * r.plus / total - 1 : (double)NAN;
    *out = r;
    mem_free(sorted);
    return OK;
}

/* P(T > distance / se). */
static double one_sided(double distance, double se, double degrees)
{
    if (se == 0)
        return distance > 0 ? 0 : 1;
    return distribution_t_tail(distance / se, degrees);
}

/* The larger one; NaN when either is. */
static double larger(double a, double b)
{
    return isnan(a) || a > b ? a : b;
}

struct hypothesis_equivalence hypothesis_tost(double estimate, double se,
                                              double degrees, double low,
                                              double high)
{
    struct hypothesis_equivalence r;
    r.p_low = one_sided(estimate - low, se, degrees);
    r.p_high = one_sided(high - estimate, se, degrees);
    r.p = larger(r.p_low, r.p_high);
    return r;
}

/* Finite draws, and how many are not above and not below a value. */
static size_t count_draws(size_t *not_above, size_t *not_below,
                          const double *draws, size_t n, double value)
{
    size_t kept = 0;
    *not_above = *not_below = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(draws[i]))
            continue;
        kept++;
        *not_above += draws[i] <= value;
        *not_below += draws[i] >= value;
    }
    return kept;
}

/* (count + 1) / (draws + 1); without draws nothing is known. */
static double share(size_t count, size_t draws)
{
    return draws > 0 ? (double)(count + 1) / (double)(draws + 1) : (double)NAN;
}

struct hypothesis_equivalence
hypothesis_tost_draws(const double *draws, size_t n, double low, double high)
{
    struct hypothesis_equivalence r;
    size_t not_above;
    size_t not_below;
    size_t kept = count_draws(&not_above, &not_below, draws, n, low);
    r.p_low = share(not_above, kept);
    (void)count_draws(&not_above, &not_below, draws, n, high);
    r.p_high = share(not_below, kept);
    r.p = larger(r.p_low, r.p_high);
    return r;
}

double hypothesis_draws_p(const double *draws, size_t n, double null)
{
    size_t not_above;
    size_t not_below;
    size_t kept = count_draws(&not_above, &not_below, draws, n, null);
    if (kept == 0 || isnan(null))
        return (double)NAN;
    size_t fewer = not_above < not_below ? not_above : not_below;
    return fmin(1, 2 * share(fewer, kept));
}

struct ranked {
    double p;
    size_t at;
};

static int by_p(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;
    if (x->p != y->p)
        return x->p > y->p ? 1 : -1;
    return (x->at > y->at) - (x->at < y->at);
}

/* The p-values that are numbers, ascending: (*out) [*m]. */
static enum status rank_p(struct ranked **out, size_t *m, const double *p,
                          size_t n, struct err *err)
{
    struct ranked *r = NULL;
    size_t kept = 0;
    TRY(MEM_NEW(r, n, err));
    for (size_t i = 0; i < n; i++) {
        assert(!(p[i] < 0 || p[i] > 1));
        if (!isnan(p[i]))
            r[kept++] = (struct ranked){p[i], i};
    }
    if (kept > 1)
        qsort(r, kept, sizeof *r, by_p);
    *out = r;
    *m = kept;
    return OK;
}

enum status hypothesis_holm(double *adjusted, const double *p, size_t n,
                            struct err *err)
{
    struct ranked *r;
    size_t m;
    TRY(rank_p(&r, &m, p, n, err));
    for (size_t i = 0; i < n; i++)
        adjusted[i] = p[i];
    double most = 0;
    for (size_t j = 0; j < m; j++) {
        most = fmax(most, fmin(1, (double)(m - j) * r[j].p));
        adjusted[r[j].at] = most;
    }
    mem_free(r);
    return OK;
}

enum status hypothesis_bh(double *q, const double *p, size_t n, struct err *err)
{
    struct ranked *r;
    size_t m;
    TRY(rank_p(&r, &m, p, n, err));
    for (size_t i = 0; i < n; i++)
        q[i] = p[i];
    double least = 1;
    for (size_t j = m; j-- > 0;) {
        least = fmin(least, (double)m * r[j].p / (double)(j + 1));
        q[r[j].at] = least;
    }
    mem_free(r);
    return OK;
}
