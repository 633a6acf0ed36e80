#include "stat/regress.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "stat/cholesky.h"

/* Of a direction that has information 1 in the whole sample, a resample that
 * has kept less than this share says nothing about it. */
static const double singular_below = 1e-9;

/* y less its offset, at all rows of the data. */
static enum status outcome_of(double **out, const struct design_data *data,
                              struct err *err)
{
    TRY(MEM_NEW(*out, data->n, err));
    for (size_t i = 0; i < data->n; i++)
        (*out)[i] = data->y[i] - (data->offset != NULL ? data->offset[i] : 0);
    return OK;
}

/* Sums over rows [begin, end), over W: b = z y, A = z z' (lower triangle). */
static void add_moments(const struct design *d, const double *y, double *a,
                        double *b, size_t begin, size_t end)
{
    size_t k = d->k;
    for (size_t i = begin; i < end; i++) {
        const double *z = d->z + i * k;
        double w = d->weight[i] / d->total;
        for (size_t r = 0; r < k; r++) {
            b[r] += w * z[r] * y[i];
            for (size_t c = 0; a != NULL && c <= r; c++)
                a[r * k + c] += w * z[r] * z[c];
        }
    }
}

/* e [n] = y - z'gamma. */
static void fill_residuals(double *e, const struct design *d, const double *y,
                           const double *gamma)
{
    for (size_t i = 0; i < d->n; i++) {
        e[i] = y[i];
        for (size_t a = 0; a < d->k; a++)
            e[i] -= d->z[i * d->k + a] * gamma[a];
    }
}

/* CR1 of gamma [k,k]; the bread is the identity. */
static void fill_covariance(double *v, const struct design *d, const double *e)
{
    size_t k = d->k;
    double factor = design_cluster_factor(d);
    memset(v, 0, k * k * sizeof *v);
    for (size_t g = 0; g < d->data->n_prompts; g++) {
        double s[DESIGN_MAX] = {0};
        add_moments(d, e, NULL, s, d->first[g], d->first[g + 1]);
        for (size_t a = 0; a < k * k; a++)
            v[a] += s[a / k] * s[a % k];
    }
    for (size_t a = 0; a < k * k; a++)
        v[a] *= factor;
}

static void fill_summary(struct regress *fit, const struct design *d,
                         const double *y, const double *e)
{
    double left = 0;
    double all = 0;
    for (size_t i = 0; i < d->n; i++) {
        left += d->weight[i] * e[i] * e[i];
        all += d->weight[i] * y[i] * y[i];
    }
    double n = (double)d->n;
    double parameters = (double)d->k;
    if (d->centre == DESIGN_PROMPTS)
        parameters += (double)d->prompts;
    fit->n = d->n;
    fit->prompts = d->prompts;
    fit->collinear = d->collinear;
    fit->r2 = all > 0 ? 1 - left / all : (double)NAN;
    fit->residual_sd = n > parameters
                           ? sqrt(left / (d->total * (1 - parameters / n)))
                           : (double)NAN;
}

enum status regress_fit(struct regress *out, double *residual,
                        const struct design_data *data,
                        enum design_centre centre, struct err *err)
{
    enum status status = OK;
    struct design d = {0};
    struct regress fit = {0};
    double *outcome = NULL;
    double *y = NULL;
    double *e = NULL;
    double gamma[DESIGN_MAX] = {0};
    double v[DESIGN_MAX * DESIGN_MAX];
    double home[DESIGN_MAX];
    double mean = 0;
    TRY_DONE(design_init(&d, data, centre, err));
    TRY_DONE(outcome_of(&outcome, data, err));
    TRY_DONE(MEM_NEW(y, d.n, err));
    TRY_DONE(MEM_NEW(e, d.n, err));

    /* y is centred as the columns are; what was taken off goes to the constant
     * at the end, so that a large mean costs no digits of the slopes. */
    design_centre_column(&d, y, outcome);
    if (centre == DESIGN_CONSTANT && d.n > 0)
        mean = outcome[d.row[0]] - y[0];
    add_moments(&d, y, NULL, gamma, 0, d.n);
    fill_residuals(e, &d, y, gamma);
    fill_covariance(v, &d, e);
    fill_summary(&fit, &d, y, e);
    gamma[0] += mean;

    if (d.n == 0)
        gamma[0] = (double)NAN;
    design_coefficients(&d, home, gamma);
    memcpy(fit.coefficient, home, data->p * sizeof *home);
    fit.constant = home[data->p];
    design_errors(&d, home, v);
    memcpy(fit.se, home, data->p * sizeof *home);
    fit.constant_se = home[data->p];
    for (size_t i = 0; residual != NULL && i < data->n; i++)
        residual[i] = (double)NAN;
    for (size_t i = 0; residual != NULL && i < d.n; i++)
        residual[d.row[i]] = e[i];
    *out = fit;
done:
    mem_free(e);
    mem_free(y);
    mem_free(outcome);
    design_free(&d);
    return status;
}

struct regress_sampler {
    struct design design;
    double *moment; // [n_prompts, k (k + 1)]: A and b of a prompt
    double *times;  // [n_prompts]
};

static enum status sampler_init(struct regress_sampler *s,
                                const struct design_data *data,
                                enum design_centre centre, struct err *err)
{
    enum status status = OK;
    double *outcome = NULL;
    double *y = NULL;
    size_t cells;
    struct design *d = &s->design;
    TRY(design_init(d, data, centre, err));
    size_t k = d->k;
    TRY_DONE(outcome_of(&outcome, data, err));
    TRY_DONE(MEM_NEW(y, d->n, err));
    TRY_DONE(MEM_NEW(s->times, data->n_prompts, err));
    TRY_DONE(mem_multiply(&cells, data->n_prompts, k * (k + 1), err));
    TRY_DONE(MEM_NEW(s->moment, cells, err));
    for (size_t i = 0; i < d->n; i++)
        y[i] = outcome[d->row[i]];
    if (centre == DESIGN_PROMPTS)
        design_centre_column(d, y, outcome);
    for (size_t g = 0; g < data->n_prompts; g++) {
        double *a = s->moment + g * k * (k + 1);
        add_moments(d, y, a, a + k * k, d->first[g], d->first[g + 1]);
    }
done:
    mem_free(y);
    mem_free(outcome);
    return status;
}

enum status regress_sampler_create(struct regress_sampler **out,
                                   const struct design_data *data,
                                   enum design_centre centre, struct err *err)
{
    struct regress_sampler *s = NULL;
    TRY(MEM_NEW(s, 1, err));
    enum status status = sampler_init(s, data, centre, err);
    if (status == OK)
        *out = s;
    else
        regress_sampler_destroy(s);
    return status;
}

void regress_sampler_destroy(struct regress_sampler *s)
{
    if (s == NULL)
        return;
    mem_free(s->moment);
    mem_free(s->times);
    design_free(&s->design);
    mem_free(s);
}

size_t regress_sampler_prompts(const struct regress_sampler *s)
{
    return s->design.prompts;
}

void regress_sampler_fit(struct regress_sampler *s, double *coefficient,
                         const size_t *index, size_t n)
{
    const struct design *d = &s->design;
    size_t k = d->k;
    double sum[DESIGN_MAX * (DESIGN_MAX + 1)] = {0};
    double *b = sum + k * k;
    design_count(d, s->times, index, n);
    for (size_t g = 0; g < d->data->n_prompts; g++) {
        const double *moment = s->moment + g * k * (k + 1);
        for (size_t a = 0; s->times[g] > 0 && a < k * (k + 1); a++)
            sum[a] += s->times[g] * moment[a];
    }
    if (cholesky_factor(sum, k, singular_below) > singular_below)
        cholesky_solve(sum, b, k);
    else
        for (size_t a = 0; a < k; a++)
            b[a] = (double)NAN;
    design_coefficients(d, coefficient, b);
}

static void statistic_coefficients(void *ctx, double *value, size_t r,
                                   const size_t *index, size_t n)
{
    (void)r;
    regress_sampler_fit(ctx, value, index, n);
}

enum status regress_bootstrap(struct estimate *out, double *draws,
                              const struct design_data *data,
                              enum design_centre centre,
                              const struct bootstrap *plan, struct err *err)
{
    struct regress_sampler *s;
    TRY(regress_sampler_create(&s, data, centre, err));
    enum status status =
        summary_bootstrap_many(out, draws, statistic_coefficients, s,
                               data->p + 1, data->n_prompts, plan, err);
    for (size_t c = 0; status == OK && c <= data->p; c++)
        out[c].n = s->design.prompts;
    regress_sampler_destroy(s);
    return status;
}
