#include "stat/concentration.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"
#include "stat/sorted.h"

enum values {
    VALUE_GINI,
    VALUE_TOP5,
    VALUE_TOP20,
    VALUES
};

static double amount(const struct sorted *s, size_t i)
{
    return fmax(s->x[i], 0);
}

/* What the largest `part` of the values sum to. */
static double top_sum(const struct sorted *s, double part)
{
    double sum = 0;
    for (size_t i = s->n; i-- > 0 && part > 0;) {
        double weight = fmin(part, sorted_weight(s, i));
        sum += weight * amount(s, i);
        part -= weight;
    }
    return sum;
}

static void statistic(void *ctx, double *value, size_t r, const size_t *index,
                      size_t n)
{
    struct sorted *s = ctx;
    double total = sorted_draw(s, index, n);
    double sum = 0, ranked = 0, before = 0;
    (void)r;
    for (size_t i = 0; i < s->n; i++) {
        double weight = sorted_weight(s, i);
        double mass = weight * amount(s, i);
        sum += mass;
        /* The copies of one value hold the ranks before + 1 to before +
         * weight, of which 2 rank - N - 1 is 2 before + weight - N on
         * average. */
        ranked += mass * (2 * before + weight - total);
        before += weight;
    }
    for (size_t k = 0; k < VALUES; k++)
        value[k] = (double)NAN;
    if (!(sum > 0))
        return;
    value[VALUE_GINI] = ranked / (total * sum);
    value[VALUE_TOP5] = top_sum(s, 0.05 * total) / sum;
    value[VALUE_TOP20] = top_sum(s, 0.20 * total) / sum;
}

enum status concentration_measure(struct concentration *out, const double *x,
                                  const size_t *prompt, size_t n,
                                  size_t n_prompts,
                                  const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct sorted s = {0};
    struct estimate e[VALUES];
    struct concentration c = {0};
    double below = 0, above = 0;
    TRY_DONE(sorted_build(&s, x, prompt, n, n_prompts, err));
    if (s.n > 0 && (isinf(s.x[0]) || isinf(s.x[s.n - 1]))) {
        status =
            err_set(err, ERR_NUMERIC, "concentration: a value is infinite");
        goto done;
    }
    TRY_DONE(summary_bootstrap_many(e, NULL, statistic, &s, VALUES, n_prompts,
                                    plan, err));
    for (size_t i = 0; i < s.n; i++) {
        c.negative += s.x[i] < 0;
        below += s.x[i] < 0 ? -s.x[i] : 0;
        above += amount(&s, i);
    }
    size_t prompts = sorted_prompts(&s);
    for (size_t k = 0; k < VALUES; k++)
        e[k].n = prompts;
    c.values = s.n;
    c.gini = e[VALUE_GINI];
    c.top5 = e[VALUE_TOP5];
    c.top20 = e[VALUE_TOP20];
    c.negative_share = above > 0 ? below / above : (double)NAN;
    *out = c;
done:
    sorted_free(&s);
    return status;
}

struct shares {
    size_t classes;
    const double *sum; // [n_prompts, classes]
};

static void share_statistic(void *ctx, double *value, size_t r,
                            const size_t *index, size_t n)
{
    const struct shares *s = ctx;
    double total = 0;
    (void)r;
    for (size_t c = 0; c < s->classes; c++)
        value[c] = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < s->classes; c++)
            value[c] += s->sum[index[i] * s->classes + c];
    for (size_t c = 0; c < s->classes; c++)
        total += value[c];
    for (size_t c = 0; c < s->classes; c++)
        value[c] = total != 0 ? value[c] / total : (double)NAN;
}

enum status concentration_shares(struct estimate *out, size_t classes,
                                 const double *x, const size_t *class_of,
                                 const size_t *prompt, size_t n,
                                 size_t n_prompts, const struct bootstrap *plan,
                                 struct err *err)
{
    enum status status = OK;
    size_t cells = 0, prompts = 0;
    double *sum = NULL;
    unsigned char *has = NULL;
    assert(n == 0 || prompt != NULL || n_prompts == n);
    TRY_DONE(mem_multiply(&cells, n_prompts, classes, err));
    TRY_DONE(MEM_NEW(sum, cells, err));
    TRY_DONE(MEM_NEW(has, n_prompts, err));
    for (size_t i = 0; i < n; i++) {
        size_t p = prompt != NULL ? prompt[i] : i;
        assert(class_of[i] < classes && p < n_prompts);
        if (isnan(x[i]))
            continue;
        sum[p * classes + class_of[i]] += x[i];
        prompts += has[p] == 0;
        has[p] = 1;
    }
    struct shares s = {classes, sum};
    TRY_DONE(summary_bootstrap_many(out, NULL, share_statistic, &s, classes,
                                    n_prompts, plan, err));
    for (size_t c = 0; c < classes; c++)
        out[c].n = prompts;
done:
    mem_free(has);
    mem_free(sum);
    return status;
}
