#include "stat/summary.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

struct estimate summary_nothing(void)
{
    return (struct estimate){(double)NAN, (double)NAN, (double)NAN, 0};
}

double summary_mean(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return n > 0 ? sum / (double)n : (double)NAN;
}

double summary_mean_of(const double *x, const size_t *index, size_t n)
{
    double sum = 0;
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        double v = x[index != NULL ? index[i] : i];
        if (isnan(v))
            continue;
        sum += v;
        used++;
    }
    return used > 0 ? sum / (double)used : (double)NAN;
}

double summary_sd(const double *x, size_t n)
{
    if (n < 2)
        return (double)NAN;
    double mean = summary_mean(x, n);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sqrt(sum / (double)(n - 1));
}

bool summary_all_finite(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

void summary_sort(double *x, size_t n)
{
    if (n > 1)
        qsort(x, n, sizeof *x, ascending);
}

double summary_quantile(const double *sorted, size_t n, double q)
{
    assert(q >= 0 && q <= 1);
    if (n == 0)
        return (double)NAN;
    double h = (double)(n - 1) * q;
    size_t below = (size_t)h;
    if (below + 1 >= n)
        return sorted[n - 1];
    double part = h - (double)below;
    return sorted[below] + part * (sorted[below + 1] - sorted[below]);
}

static void swap(double *a, double *b)
{
    double x = *a;
    *a = *b;
    *b = x;
}

/* Put the value of rank k where it would stand in order, no greater ones before
 * and no smaller ones behind it (Hoare 1961, "Algorithm 65: find").  Rounds
 * that do not get on are few, or the rest is sorted. */
static void select_rank(double *x, size_t n, size_t k)
{
    enum {
        ROUNDS = 100,
        FEW = 12
    };
    size_t low = 0, high = n; // x[low..high-1] holds it
    for (int round = 0; high - low > FEW && round < ROUNDS; round++) {
        double a = x[low], b = x[low + (high - low) / 2], c = x[high - 1];
        double pivot = fmax(fmin(a, b), fmin(fmax(a, b), c));
        size_t i = low, j = high - 1;
        for (;; i++, j--) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i >= j)
                break;
            swap(&x[i], &x[j]);
        }
        /* Values up to x[j] are not above the pivot, those from i on not
         * below it, and i <= j + 1. */
        if (k <= j && j + 1 < high)
            high = j + 1;
        else if (k >= i && i > low)
            low = i;
        else
            break;
    }
    summary_sort(x + low, high - low);
}

/* As summary_quantile() of what summary_sort() makes of x, at 0.5. */
double summary_median(double *x, size_t n)
{
    if (n == 0)
        return (double)NAN;
    size_t below = (n - 1) / 2;
    select_rank(x, n, below);
    if (below + 1 == n)
        return x[below];
    double next = x[below + 1]; // the smallest of those behind
    for (size_t i = below + 2; i < n; i++)
        next = x[i] < next ? x[i] : next;
    double part = n % 2 == 0 ? 0.5 : 0;
    return x[below] + part * (next - x[below]);
}

struct bootstrap summary_plan(const struct bootstrap *plan)
{
    struct bootstrap p = *plan;
    if (p.resamples == 0)
        p.resamples = 2000;
    if (!(p.level > 0))
        p.level = 0.95;
    return p;
}

void summary_resample(size_t *index, size_t n, const struct bootstrap *plan,
                      size_t r)
{
    assert(n <= UINT32_MAX && r <= UINT32_MAX);
    struct rng rng;
    rng_init(&rng, plan->seed, RNG_BOOTSTRAP, 0, (uint32_t)r);
    rng_fill_below(&rng, index, n, (uint32_t)n);
}

/* Interval of draws[0..count-1]; `sorted` [count] is scratch. */
static void percentile_interval(struct estimate *e, const double *draws,
                                double *sorted, const struct bootstrap *p)
{
    size_t kept = 0;
    for (size_t r = 0; r < p->resamples; r++)
        if (isfinite(draws[r]))
            sorted[kept++] = draws[r];
    /* A statistic undefined on many resamples would leave an interval that
     * describes only the lucky ones. */
    if (!isfinite(e->estimate) || kept == 0 || kept * 20 < p->resamples * 19)
        return;
    summary_sort(sorted, kept);
    e->low = summary_quantile(sorted, kept, (1 - p->level) / 2);
    e->high = summary_quantile(sorted, kept, (1 + p->level) / 2);
}

/* Fill draws [m, resamples]; `value` [m] is scratch. */
static void draw_all(double *draws, double *value, size_t *index,
                     summary_statistics fn, void *ctx, size_t m, size_t n,
                     const struct bootstrap *p)
{
    for (size_t r = 0; r < p->resamples; r++) {
        if (n >= 2) {
            summary_resample(index, n, p, r);
            fn(ctx, value, r, index, n);
        }
        for (size_t k = 0; k < m; k++)
            draws[k * p->resamples + r] = n >= 2 ? value[k] : (double)NAN;
    }
}

enum status summary_bootstrap_many(struct estimate *out, double *draws,
                                   summary_statistics fn, void *ctx, size_t m,
                                   size_t n, const struct bootstrap *plan,
                                   struct err *err)
{
    enum status status = OK;
    struct bootstrap p = summary_plan(plan);
    size_t *index = NULL;
    double *own = NULL;
    double *sorted = NULL;
    double *value = NULL;
    size_t n_draws;
    TRY_DONE(mem_multiply(&n_draws, m, p.resamples, err));
    TRY_DONE(MEM_NEW(index, n, err));
    TRY_DONE(MEM_NEW(value, m, err));
    TRY_DONE(MEM_NEW(sorted, p.resamples, err));
    if (draws == NULL) {
        TRY_DONE(MEM_NEW(own, n_draws, err));
        draws = own;
    }

    for (size_t k = 0; k < m; k++)
        out[k] = summary_nothing();
    for (size_t i = 0; i < n; i++)
        index[i] = i;
    if (n > 0)
        fn(ctx, value, SUMMARY_ALL, index, n);
    for (size_t k = 0; k < m; k++) {
        out[k].n = n;
        out[k].estimate = n > 0 ? value[k] : (double)NAN;
    }
    draw_all(draws, value, index, fn, ctx, m, n, &p);
    for (size_t k = 0; k < m; k++)
        percentile_interval(&out[k], draws + k * p.resamples, sorted, &p);
done:
    mem_free(own);
    mem_free(sorted);
    mem_free(value);
    mem_free(index);
    return status;
}

struct single {
    summary_statistic fn;
    void *ctx;
};

static void statistic_single(void *ctx, double *value, size_t r,
                             const size_t *index, size_t n)
{
    (void)r;
    const struct single *s = ctx;
    *value = s->fn(s->ctx, index, n);
}

enum status summary_bootstrap(struct estimate *out, summary_statistic fn,
                              void *ctx, size_t n, const struct bootstrap *plan,
                              struct err *err)
{
    struct single s = {fn, ctx};
    return summary_bootstrap_many(out, NULL, statistic_single, &s, 1, n, plan,
                                  err);
}

/* Up to four values per prompt; what the ready-made statistics look at. */
struct columns {
    const double *a, *b, *c, *d;
};

static double statistic_mean(void *ctx, const size_t *index, size_t n)
{
    const struct columns *x = ctx;
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        double v = x->a[index[i]];
        if (x->b != NULL)
            v -= x->b[index[i]];
        if (isnan(v))
            continue;
        sum += v;
        count++;
    }
    return count > 0 ? sum / (double)count : (double)NAN;
}

static double ratio(const double *a, const double *b, const size_t *index,
                    size_t n)
{
    double above = 0;
    double below = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = index[i];
        if (isnan(a[k]) || isnan(b[k]))
            continue;
        above += a[k];
        below += b[k];
    }
    return below != 0 ? above / below : (double)NAN;
}

static double statistic_ratio(void *ctx, const size_t *index, size_t n)
{
    const struct columns *x = ctx;
    return ratio(x->a, x->b, index, n);
}

static double statistic_excess(void *ctx, const size_t *index, size_t n)
{
    const struct columns *x = ctx;
    return ratio(x->a, x->b, index, n) - ratio(x->c, x->d, index, n);
}

static double statistic_correlation(void *ctx, const size_t *index, size_t n)
{
    const struct columns *x = ctx;
    double count = 0, a = 0, b = 0, aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = index[i];
        if (isnan(x->a[k]) || isnan(x->b[k]))
            continue;
        a += x->a[k];
        b += x->b[k];
        count++;
    }
    a /= count;
    b /= count;
    for (size_t i = 0; i < n; i++) {
        size_t k = index[i];
        if (isnan(x->a[k]) || isnan(x->b[k]))
            continue;
        aa += (x->a[k] - a) * (x->a[k] - a);
        bb += (x->b[k] - b) * (x->b[k] - b);
        ab += (x->a[k] - a) * (x->b[k] - b);
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : (double)NAN;
}

/* Does prompt i contribute to a statistic of these columns? */
static bool measured(const struct columns *x, size_t i)
{
    bool first = !isnan(x->a[i]) && (x->b == NULL || !isnan(x->b[i]));
    if (x->c == NULL)
        return first;
    return first || (!isnan(x->c[i]) && !isnan(x->d[i]));
}

static enum status estimate(struct estimate *out, summary_statistic fn,
                            struct columns x, size_t n,
                            const struct bootstrap *plan, struct err *err)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += measured(&x, i);
    if (count == 0) {
        *out = summary_nothing();
        return OK;
    }
    struct estimate e;
    TRY(summary_bootstrap(&e, fn, &x, n, plan, err));
    e.n = count;
    if (count < 2)
        e.low = e.high = (double)NAN;
    *out = e;
    return OK;
}

enum status summary_estimate_mean(struct estimate *out, const double *x,
                                  size_t n, const struct bootstrap *plan,
                                  struct err *err)
{
    return estimate(out, statistic_mean, (struct columns){.a = x}, n, plan,
                    err);
}

enum status summary_estimate_difference(struct estimate *out, const double *a,
                                        const double *b, size_t n,
                                        const struct bootstrap *plan,
                                        struct err *err)
{
    return estimate(out, statistic_mean, (struct columns){.a = a, .b = b}, n,
                    plan, err);
}

enum status summary_estimate_ratio(struct estimate *out, const double *a,
                                   const double *b, size_t n,
                                   const struct bootstrap *plan,
                                   struct err *err)
{
    return estimate(out, statistic_ratio, (struct columns){.a = a, .b = b}, n,
                    plan, err);
}

enum status summary_estimate_correlation(struct estimate *out, const double *a,
                                         const double *b, size_t n,
                                         const struct bootstrap *plan,
                                         struct err *err)
{
    return estimate(out, statistic_correlation,
                    (struct columns){.a = a, .b = b}, n, plan, err);
}

enum status summary_estimate_excess(struct estimate *out, const double *a,
                                    const double *b, const double *c,
                                    const double *d, size_t n,
                                    const struct bootstrap *plan,
                                    struct err *err)
{
    return estimate(out, statistic_excess, (struct columns){a, b, c, d}, n,
                    plan, err);
}
