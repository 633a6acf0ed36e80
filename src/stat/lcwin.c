#include "stat/lcwin.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"
#include "stat/logit.h"

static const char *const column_names[] = {"length", "difficulty"};

/* The pairs as rows of a regression. */
struct table {
    struct design_data data;
    double *x;    // [n,p] tanh(dL/sd), d
    double *y;    // [n] h, NaN where the row is left out
    double *kept; // [n] scratch: dL of the pairs in use
    size_t n;     // pairs in use
    double sd;
};

static void table_free(struct table *t)
{
    mem_free(t->kept);
    mem_free(t->y);
    mem_free(t->x);
}

static bool is_usable(const struct lcwin_pairs *pairs, size_t i)
{
    assert(!(pairs->win[i] < 0 || pairs->win[i] > 1));
    return isfinite(pairs->win[i]) && isfinite(pairs->length_difference[i]) &&
           (pairs->difficulty == NULL || isfinite(pairs->difficulty[i]));
}

static enum status table_init(struct table *t, const struct lcwin_pairs *pairs,
                              struct err *err)
{
    size_t p = pairs->difficulty != NULL ? 2 : 1;
    TRY(MEM_NEW(t->x, pairs->n * p, err));
    TRY(MEM_NEW(t->y, pairs->n, err));
    TRY(MEM_NEW(t->kept, pairs->n, err));
    for (size_t i = 0; i < pairs->n; i++)
        if (is_usable(pairs, i))
            t->kept[t->n++] = pairs->length_difference[i];
    t->sd = summary_sd(t->kept, t->n);
    for (size_t i = 0; i < pairs->n; i++) {
        bool usable = is_usable(pairs, i);
        t->y[i] = usable ? pairs->win[i] : (double)NAN;
        if (usable && t->sd > 0)
            t->x[i * p] = tanh(pairs->length_difference[i] / t->sd);
        if (usable && p > 1)
            t->x[i * p + 1] = pairs->difficulty[i];
    }
    t->data = (struct design_data){.n = pairs->n,
                                   .p = p,
                                   .n_prompts = pairs->n_prompts,
                                   .x = t->x,
                                   .y = t->y,
                                   .prompt = pairs->prompt,
                                   .name = column_names};
    return OK;
}

double lcwin_rate(double *se, double theta, double gamma, const double *d,
                  size_t n)
{
    double mean = 0;
    for (size_t i = 0; i < n; i++)
        mean += logit_sigma(theta + gamma * d[i]);
    mean = n > 0 ? mean / (double)n : (double)NAN;
    if (se == NULL)
        return mean;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double away = logit_sigma(theta + gamma * d[i]) - mean;
        sum += away * away;
    }
    double degrees = n > 1 ? (double)(n - 1) : (double)NAN;
    *se = sqrt(sum / degrees / (double)n);
    return mean;
}

/* What a column that got no coefficient adds. */
static double term(double coefficient, double x)
{
    return isnan(coefficient) ? 0 : coefficient * x;
}

enum status lcwin_fit(struct lcwin_fit *out, const struct lcwin_pairs *pairs,
                      struct err *err)
{
    enum status status = OK;
    struct table t = {0};
    struct logit fit;
    double *d = NULL;
    TRY_DONE(table_init(&t, pairs, err));
    TRY_DONE(MEM_NEW(d, pairs->n, err));
    TRY_DONE(logit_fit(&fit, NULL, &t.data, DESIGN_CONSTANT, 0, err));
    size_t n = 0;
    bool has_d = pairs->difficulty != NULL;
    for (size_t i = 0; i < pairs->n; i++) {
        if (!isfinite(t.y[i]))
            continue;
        d[n] = has_d ? pairs->difficulty[i] : 0;
        t.kept[n++] = t.y[i];
    }
    struct lcwin_fit f = {.n = n, .theta = fit.constant, .sd = t.sd};
    f.phi = fit.coefficient[0];
    f.gamma = has_d ? fit.coefficient[1] : (double)NAN;
    f.win_rate = summary_mean(t.kept, n);
    f.win_se = summary_sd(t.kept, n) / sqrt((double)n);
    double gamma = isnan(f.gamma) ? 0 : f.gamma;
    f.rate = lcwin_rate(&f.rate_se, f.theta, gamma, d, n);
    *out = f;
done:
    mem_free(d);
    table_free(&t);
    return status;
}

enum {
    WIN_RATE,
    RATE,
    SHIFT,
    THETA,
    PHI,
    GAMMA,
    STATISTICS
};

struct resampled {
    struct logit_sampler *sampler;
    const struct table *table;
};

static void statistic_lcwin(void *ctx, double *value, size_t r,
                            const size_t *index, size_t n)
{
    (void)r;
    const struct resampled *at = ctx;
    const struct design *d = logit_sampler_design(at->sampler);
    const struct table *t = at->table;
    size_t p = t->data.p;
    double b[3] = {0};
    logit_sampler_fit(at->sampler, b, index, n);
    double won = 0, controlled = 0, pairs = 0;
    for (size_t k = 0; k < n; k++) {
        for (size_t i = d->first[index[k]]; i < d->first[index[k] + 1]; i++) {
            size_t row = d->row[i];
            double hard = p > 1 ? term(b[1], t->x[row * p + 1]) : 0;
            won += t->y[row];
            controlled += logit_sigma(b[p] + hard);
            pairs++;
        }
    }
    value[WIN_RATE] = won / pairs;
    value[RATE] = controlled / pairs;
    value[SHIFT] = value[RATE] - value[WIN_RATE];
    value[THETA] = b[p];
    value[PHI] = b[0];
    value[GAMMA] = p > 1 ? b[1] : (double)NAN;
}

enum status lcwin_estimate(struct lcwin *out, const struct lcwin_pairs *pairs,
                           const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct table t = {0};
    struct resampled at = {NULL, &t};
    struct estimate e[STATISTICS];
    TRY_DONE(table_init(&t, pairs, err));
    TRY_DONE(
        logit_sampler_create(&at.sampler, &t.data, DESIGN_CONSTANT, 0, err));
    TRY_DONE(summary_bootstrap_many(e, NULL, statistic_lcwin, &at, STATISTICS,
                                    pairs->n_prompts, plan, err));
    const struct design *d = logit_sampler_design(at.sampler);
    for (size_t k = 0; k < STATISTICS; k++)
        e[k].n = d->prompts;
    *out = (struct lcwin){.pairs = d->n,
                          .win_rate = e[WIN_RATE],
                          .rate = e[RATE],
                          .shift = e[SHIFT],
                          .theta = e[THETA],
                          .phi = e[PHI],
                          .gamma = e[GAMMA],
                          .sd = t.sd};
done:
    logit_sampler_destroy(at.sampler);
    table_free(&t);
    return status;
}
