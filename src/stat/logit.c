#include "stat/logit.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "stat/cholesky.h"

enum {
    ROUNDS = 100,
    HALVINGS = 40,
};

/* Information left in the worst direction, of at most 1/4. */
static const double vanished_below = 1e-10;

/* A step this small is the last: the next would be its square. */
static const double small_step = 1e-8;

double logit_sigma(double x)
{
    /* exp of a negative number in both branches: no overflow. */
    if (x >= 0)
        return 1 / (1 + exp(-x));
    double e = exp(x);
    return e / (1 + e);
}

struct logit_sampler {
    struct design design;
    double *y, *offset;                      // [n] by design row
    double *times;                           // [n_prompts]
    double ridge;                            // over W
    double penalty[DESIGN_MAX * DESIGN_MAX]; // gamma' M gamma
    double all[DESIGN_MAX];                  // gamma of all rows
};

/* Where Newton's method stands. */
struct point {
    double gamma[DESIGN_MAX];
    double value; // objective over W
    double gradient[DESIGN_MAX];
    double information[DESIGN_MAX * DESIGN_MAX];
};

enum outcome {
    FOUND,
    NO_MAXIMUM,
    NO_CONVERGENCE,
};

static double dot(const double *a, const double *b, size_t k)
{
    double sum = 0;
    for (size_t i = 0; i < k; i++)
        sum += a[i] * b[i];
    return sum;
}

/* y log p + (1 - y) log(1 - p) = y eta - log(1 + exp(eta)). */
static double log_likelihood(double y, double eta)
{
    return y * eta - fmax(eta, 0) - log1p(exp(-fabs(eta)));
}

/* Take the penalty's part into value, gradient and information. */
static void add_penalty(const struct logit_sampler *s, struct point *at)
{
    size_t k = s->design.k;
    for (size_t a = 0; s->ridge > 0 && a < k; a++) {
        double slope = dot(s->penalty + a * k, at->gamma, k);
        at->gradient[a] -= s->ridge * slope;
        at->value -= s->ridge / 2 * slope * at->gamma[a];
        for (size_t b = 0; b <= a; b++)
            at->information[a * k + b] += s->ridge * s->penalty[a * k + b];
    }
}

/* Objective and derivatives at at->gamma; times NULL: every prompt once. */
static void evaluate(const struct logit_sampler *s, struct point *at,
                     const double *times)
{
    const struct design *d = &s->design;
    size_t k = d->k;
    at->value = 0;
    memset(at->gradient, 0, sizeof at->gradient);
    memset(at->information, 0, sizeof at->information);
    for (size_t g = 0; g < d->data->n_prompts; g++) {
        double often = times != NULL ? times[g] : 1;
        if (!(often > 0))
            continue;
        for (size_t i = d->first[g]; i < d->first[g + 1]; i++) {
            const double *z = d->z + i * k;
            double w = often * d->weight[i] / d->total;
            double eta = s->offset[i] + dot(z, at->gamma, k);
            double p = logit_sigma(eta);
            at->value += w * log_likelihood(s->y[i], eta);
            for (size_t a = 0; a < k; a++) {
                at->gradient[a] += w * (s->y[i] - p) * z[a];
                double curve = w * p * (1 - p) * z[a];
                for (size_t b = 0; b <= a; b++)
                    at->information[a * k + b] += curve * z[b];
            }
        }
    }
    add_penalty(s, at);
}

/* Climb from `at` to the maximum. */
static enum outcome climb(const struct logit_sampler *s, struct point *at,
                          const double *times)
{
    size_t k = s->design.k;
    evaluate(s, at, times);
    for (int round = 0; round < ROUNDS; round++) {
        double step[DESIGN_MAX];
        memcpy(step, at->gradient, sizeof step);
        if (!(cholesky_factor(at->information, k, vanished_below) >
              vanished_below))
            return NO_MAXIMUM;
        cholesky_solve(at->information, step, k);
        double longest = 0;
        double size = 1;
        for (size_t a = 0; a < k; a++) {
            longest = fmax(longest, fabs(step[a]));
            size = fmax(size, fabs(at->gamma[a]));
        }
        struct point next;
        double part = 1;
        for (int h = 0; h < HALVINGS; h++, part /= 2) {
            for (size_t a = 0; a < k; a++)
                next.gamma[a] = at->gamma[a] + part * step[a];
            evaluate(s, &next, times);
            /* Near the maximum the gain drowns in rounding. */
            if (next.value >= at->value - 1e-14 * fabs(at->value))
                break;
        }
        *at = next;
        if (longest <= small_step * size)
            return FOUND;
    }
    return NO_CONVERGENCE;
}

/* M = back' S^2 back over the columns, without the constant. */
static void fill_penalty(struct logit_sampler *s)
{
    const struct design *d = &s->design;
    size_t k = d->k;
    for (size_t j = 0; j < d->data->p; j++) {
        if (!isfinite(d->back[j][0]))
            continue;
        for (size_t a = 0; a < k; a++)
            for (size_t b = 0; b < k; b++)
                s->penalty[a * k + b] +=
                    d->scale[j] * d->back[j][a] * d->scale[j] * d->back[j][b];
    }
}

/* Outcomes that are all 0 or all 1 have no maximum whatever the columns. */
static bool is_one_sided(const struct logit_sampler *s)
{
    const struct design *d = &s->design;
    double low = 1;
    double high = 0;
    for (size_t i = 0; i < d->n; i++) {
        low = fmin(low, s->y[i]);
        high = fmax(high, s->y[i]);
    }
    return d->centre == DESIGN_CONSTANT && (low == 1 || high == 0);
}

/* Say which column runs away: the one with the largest standardised
 * coefficient where the search gave up. */
static enum status refuse(const struct logit_sampler *s, const struct point *at,
                          enum outcome outcome, struct err *err)
{
    const struct design *d = &s->design;
    const struct design_data *data = d->data;
    if (outcome == NO_CONVERGENCE)
        return err_set(err, ERR_NUMERIC,
                       "logistic regression: no maximum found in %d rounds",
                       ROUNDS);
    if (is_one_sided(s))
        return err_set(err, ERR_NUMERIC,
                       "logistic regression: all %zu outcomes are %g, their "
                       "log-odds have no maximum",
                       d->n, s->y[0]);
    double home[DESIGN_MAX];
    design_coefficients(d, home, at->gamma);
    size_t worst = 0;
    double most = -1;
    for (size_t j = 0; j < data->p; j++) {
        double size = fabs(home[j] * d->scale[j]);
        if (size > most) {
            most = size;
            worst = j;
        }
    }
    static const char why[] = "separates outcomes 1 from 0, its coefficient "
                              "has no maximum";
    if (data->name != NULL)
        return err_set(err, ERR_NUMERIC, "logistic regression: %s %s",
                       data->name[worst], why);
    return err_set(err, ERR_NUMERIC, "logistic regression: column %zu %s",
                   worst + 1, why);
}

static enum status sampler_init(struct logit_sampler *s,
                                const struct design_data *data,
                                enum design_centre centre, double ridge,
                                struct err *err)
{
    struct design *d = &s->design;
    TRY(design_init(d, data, centre, err));
    TRY(MEM_NEW(s->y, d->n, err));
    TRY(MEM_NEW(s->offset, d->n, err));
    TRY(MEM_NEW(s->times, data->n_prompts, err));
    for (size_t i = 0; i < d->n; i++) {
        size_t row = d->row[i];
        s->y[i] = data->y[row];
        s->offset[i] = data->offset != NULL ? data->offset[row] : 0;
        assert(s->y[i] >= 0 && s->y[i] <= 1);
    }
    fill_penalty(s);
    if (d->n == 0) {
        for (size_t a = 0; a < DESIGN_MAX; a++)
            s->all[a] = (double)NAN;
        return OK;
    }
    s->ridge = ridge / d->total;
    struct point at = {{0}, 0, {0}, {0}};
    enum outcome outcome = climb(s, &at, NULL);
    if (outcome != FOUND)
        return refuse(s, &at, outcome, err);
    memcpy(s->all, at.gamma, sizeof s->all);
    return OK;
}

enum status logit_sampler_create(struct logit_sampler **out,
                                 const struct design_data *data,
                                 enum design_centre centre, double ridge,
                                 struct err *err)
{
    assert(centre != DESIGN_PROMPTS && ridge >= 0);
    struct logit_sampler *s = NULL;
    TRY(MEM_NEW(s, 1, err));
    enum status status = sampler_init(s, data, centre, ridge, err);
    if (status == OK)
        *out = s;
    else
        logit_sampler_destroy(s);
    return status;
}

void logit_sampler_destroy(struct logit_sampler *s)
{
    if (s == NULL)
        return;
    mem_free(s->times);
    mem_free(s->offset);
    mem_free(s->y);
    design_free(&s->design);
    mem_free(s);
}

const struct design *logit_sampler_design(const struct logit_sampler *s)
{
    return &s->design;
}

/* Does index[0..n-1] hold every prompt once, in order? */
static bool is_everything(const struct design *d, const size_t *index, size_t n)
{
    bool same = n == d->data->n_prompts;
    for (size_t i = 0; same && i < n; i++)
        same = index[i] == i;
    return same;
}

void logit_sampler_fit(struct logit_sampler *s, double *coefficient,
                       const size_t *index, size_t n)
{
    const struct design *d = &s->design;
    struct point at = {{0}, 0, {0}, {0}};
    memcpy(at.gamma, s->all, sizeof at.gamma);
    if (d->n > 0 && !is_everything(d, index, n)) {
        design_count(d, s->times, index, n);
        if (climb(s, &at, s->times) != FOUND)
            for (size_t a = 0; a < d->k; a++)
                at.gamma[a] = (double)NAN;
    }
    design_coefficients(d, coefficient, at.gamma);
}

/* CR1 of gamma [k,k] at the maximum, p [n] by design row. */
static void fill_covariance(double *v, const struct logit_sampler *s,
                            const struct point *at, const double *p)
{
    const struct design *d = &s->design;
    size_t k = d->k;
    double factor = design_cluster_factor(d);
    double l[DESIGN_MAX * DESIGN_MAX];
    memcpy(l, at->information, sizeof l);
    memset(v, 0, k * k * sizeof *v);
    if (!(cholesky_factor(l, k, 0) > 0))
        return;
    for (size_t g = 0; g < d->data->n_prompts; g++) {
        double score[DESIGN_MAX] = {0};
        for (size_t i = d->first[g]; i < d->first[g + 1]; i++)
            for (size_t a = 0; a < k; a++)
                score[a] += d->weight[i] / d->total * (s->y[i] - p[i]) *
                            d->z[i * k + a];
        /* H^-1 s s' H^-1 is the square of H^-1 s. */
        cholesky_solve(l, score, k);
        for (size_t a = 0; a < k; a++)
            for (size_t b = 0; b < k; b++)
                v[a * k + b] += factor * score[a] * score[b];
    }
}

enum status logit_fit(struct logit *out, double *fitted,
                      const struct design_data *data, enum design_centre centre,
                      double ridge, struct err *err)
{
    enum status status = OK;
    struct logit fit = {0};
    double *p = NULL;
    double v[DESIGN_MAX * DESIGN_MAX];
    double home[DESIGN_MAX];
    struct logit_sampler *s = NULL;
    TRY_DONE(logit_sampler_create(&s, data, centre, ridge, err));
    const struct design *d = &s->design;
    TRY_DONE(MEM_NEW(p, d->n, err));
    struct point at = {{0}, 0, {0}, {0}};
    memcpy(at.gamma, s->all, sizeof at.gamma);
    evaluate(s, &at, NULL);
    for (size_t i = 0; i < d->n; i++) {
        double eta = s->offset[i] + dot(d->z + i * d->k, at.gamma, d->k);
        p[i] = logit_sigma(eta);
        fit.log_likelihood += d->weight[i] * log_likelihood(s->y[i], eta);
    }
    fill_covariance(v, s, &at, p);
    fit.n = d->n;
    fit.prompts = d->prompts;
    fit.collinear = d->collinear;
    if (d->n == 0)
        fit.log_likelihood = (double)NAN;
    design_coefficients(d, home, at.gamma);
    memcpy(fit.coefficient, home, data->p * sizeof *home);
    fit.constant = home[data->p];
    design_errors(d, home, v);
    memcpy(fit.se, home, data->p * sizeof *home);
    fit.constant_se = home[data->p];
    for (size_t i = 0; fitted != NULL && i < data->n; i++)
        fitted[i] = (double)NAN;
    for (size_t i = 0; fitted != NULL && i < d->n; i++)
        fitted[d->row[i]] = p[i];
    *out = fit;
done:
    mem_free(p);
    logit_sampler_destroy(s);
    return status;
}

static void statistic_coefficients(void *ctx, double *value, size_t r,
                                   const size_t *index, size_t n)
{
    (void)r;
    logit_sampler_fit(ctx, value, index, n);
}

enum status logit_bootstrap(struct estimate *out, double *draws,
                            const struct design_data *data,
                            enum design_centre centre, double ridge,
                            const struct bootstrap *plan, struct err *err)
{
    struct logit_sampler *s = NULL;
    TRY(logit_sampler_create(&s, data, centre, ridge, err));
    enum status status =
        summary_bootstrap_many(out, draws, statistic_coefficients, s,
                               data->p + 1, data->n_prompts, plan, err);
    for (size_t c = 0; status == OK && c <= data->p; c++)
        out[c].n = s->design.prompts;
    logit_sampler_destroy(s);
    return status;
}
