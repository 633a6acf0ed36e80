#include "stat/blocks.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"
#include "stat/distribution.h"

size_t blocks_length(size_t m)
{
    size_t block = (size_t)lround(cbrt((double)m));
    if (block > m / BLOCKS_MIN)
        block = m / BLOCKS_MIN;
    return block > 0 ? block : 1;
}

/* The statistic without units first..end-1 of m. */
static double without(summary_statistic fn, void *ctx, size_t *index, size_t m,
                      size_t first, size_t end)
{
    size_t n = 0;
    for (size_t i = 0; i < m; i++)
        if (i < first || i >= end)
            index[n++] = i;
    return fn(ctx, index, n);
}

/* Variance of x by the jackknife over k blocks; part[k] is scratch. */
static double variance_of(double x, double *part, summary_statistic fn,
                          void *ctx, size_t *index, size_t m, size_t k)
{
    double middle = (double)k * x, sum = 0;
    for (size_t j = 0; j < k; j++) {
        size_t first = m * j / k, end = m * (j + 1) / k;
        part[j] = without(fn, ctx, index, m, first, end);
        middle -= (1 - (double)(end - first) / (double)m) * part[j];
    }
    for (size_t j = 0; j < k; j++) {
        size_t size = m * (j + 1) / k - m * j / k;
        double h = (double)m / (double)size;
        double d = h * x - (h - 1) * part[j] - middle;
        sum += d * d / (h - 1);
    }
    return sum / (double)k;
}

enum status blocks_estimate(struct estimate *out, summary_statistic fn,
                            void *ctx, size_t m, size_t block, double level,
                            struct err *err)
{
    enum status status = OK;
    assert(block > 0 && m <= SIZE_MAX / BLOCKS_MOST);
    size_t *index = NULL, k = m / block < BLOCKS_MOST ? m / block : BLOCKS_MOST;
    double *part = NULL;
    *out = summary_nothing();
    out->n = m;
    if (m == 0)
        return OK;
    TRY_DONE(MEM_NEW(index, m, err));
    TRY_DONE(MEM_NEW(part, k, err));
    out->estimate = without(fn, ctx, index, m, 0, 0);
    if (!isfinite(out->estimate) || k < BLOCKS_MIN)
        goto done;
    double variance = variance_of(out->estimate, part, fn, ctx, index, m, k);
    if (!isfinite(variance))
        goto done;
    double t = distribution_t_quantile((1 + (level > 0 ? level : 0.95)) / 2,
                                       (double)(k - 1));
    out->low = out->estimate - t * sqrt(variance);
    out->high = out->estimate + t * sqrt(variance);
done:
    mem_free(index);
    mem_free(part);
    return status;
}

struct columns {
    double *a, *b;
};

static double ratio(void *ctx, const size_t *index, size_t n)
{
    const struct columns *x = ctx;
    double above = 0, below = 0;
    for (size_t i = 0; i < n; i++) {
        above += x->a[index[i]];
        below += x->b[index[i]];
    }
    return below != 0 ? above / below : (double)NAN;
}

enum status blocks_ratio(struct estimate *out, const double *a, const double *b,
                         size_t m, size_t block, double level, struct err *err)
{
    enum status status = OK;
    struct columns x = {NULL, NULL};
    size_t n = 0;
    TRY_DONE(MEM_NEW(x.a, m, err));
    TRY_DONE(MEM_NEW(x.b, m, err));
    for (size_t i = 0; i < m; i++) {
        if (isnan(a[i]) || isnan(b[i]))
            continue;
        x.a[n] = a[i];
        x.b[n++] = b[i];
    }
    TRY_DONE(blocks_estimate(out, ratio, &x, n, block, level, err));
done:
    mem_free(x.a);
    mem_free(x.b);
    return status;
}
