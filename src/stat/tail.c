#include "stat/tail.h"

#include <math.h>

#include "stat/sorted.h"

enum values {
    VALUE_INDEX,
    VALUE_KURTOSIS,
    VALUES
};

/* Values of a resample of `total` that go into the index. */
static double top_count(double total)
{
    return floor(total / 50);
}

/* Half of the values are at or below it. */
static double median(const struct sorted *s, double total)
{
    double below = 0;
    size_t i = 0;
    while (i < s->n && below + sorted_weight(s, i) < total / 2)
        below += sorted_weight(s, i++);
    /* Of an even number, the mean of the middle two. */
    size_t next = i;
    if (i < s->n && below + sorted_weight(s, i) == total / 2) {
        next++;
        while (next < s->n && sorted_weight(s, next) == 0)
            next++;
    }
    return next < s->n ? (s->x[i] + s->x[next]) / 2 : (double)NAN;
}

static double hill(const struct sorted *s, double total)
{
    double middle = median(s, total);
    double k = top_count(total);
    double left = k;
    double sum = 0;
    for (size_t i = s->n; i-- > 0;) {
        double weight = sorted_weight(s, i);
        double y = s->x[i] - middle;
        if (weight == 0)
            continue;
        if (!(y > 0))
            return (double)NAN;
        /* x[i] holds the place after the last of the k. */
        if (weight > left)
            return (sum + left * log(y) - k * log(y)) / k;
        sum += weight * log(y);
        left -= weight;
    }
    return (double)NAN;
}

static double kurtosis(const struct sorted *s, double total)
{
    double mean = 0, squares = 0, fourths = 0;
    for (size_t i = 0; i < s->n; i++)
        mean += sorted_weight(s, i) * s->x[i] / total;
    for (size_t i = 0; i < s->n; i++) {
        double d = (s->x[i] - mean) * (s->x[i] - mean);
        squares += sorted_weight(s, i) * d / total;
        fourths += sorted_weight(s, i) * d * d / total;
    }
    return squares > 0 ? fourths / (squares * squares) : (double)NAN;
}

static void statistic(void *ctx, double *value, size_t r, const size_t *index,
                      size_t n)
{
    struct sorted *s = ctx;
    double total = sorted_draw(s, index, n);
    (void)r;
    value[VALUE_INDEX] = hill(s, total);
    value[VALUE_KURTOSIS] = kurtosis(s, total);
}

enum status tail_measure(struct tail *out, const double *x,
                         const size_t *prompt, size_t n, size_t n_prompts,
                         const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct sorted s = {0};
    struct estimate e[VALUES];
    struct tail t = {.index_se = (double)NAN};
    TRY_DONE(sorted_build(&s, x, prompt, n, n_prompts, err));
    if (s.n > 0 && (isinf(s.x[0]) || isinf(s.x[s.n - 1]))) {
        status = err_set(err, ERR_NUMERIC, "tail: a value is infinite");
        goto done;
    }
    TRY_DONE(summary_bootstrap_many(e, NULL, statistic, &s, VALUES, n_prompts,
                                    plan, err));
    e[VALUE_INDEX].n = e[VALUE_KURTOSIS].n = sorted_prompts(&s);
    t.values = s.n;
    t.k = (size_t)top_count((double)s.n);
    t.index = e[VALUE_INDEX];
    t.kurtosis = e[VALUE_KURTOSIS];
    if (s.n < TAIL_MIN)
        t.reason = "fewer than 500 values";
    else if (isnan(t.index.estimate))
        t.reason = "the highest fiftieth of the values is not above the median";
    if (t.reason != NULL) {
        size_t prompts = t.index.n;
        t.index = summary_nothing();
        t.index.n = prompts;
    } else {
        t.index_se = t.index.estimate / sqrt((double)t.k);
        t.is_heavy = t.index.low > TAIL_INDEX_HEAVY ||
                     t.kurtosis.low > TAIL_KURTOSIS_HEAVY;
    }
    *out = t;
done:
    sorted_free(&s);
    return status;
}
