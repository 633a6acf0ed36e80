#include "stat/overopt.h"

#include <math.h>

#include "base/mem.h"

struct fitting {
    enum overopt_form form;
    const struct overopt_points *x;
    bool *is_used;    // [m]
    double *d, *gain; // [m] of the present resample
};

enum values {
    VALUE_ALPHA,
    VALUE_BETA,
    VALUE_TURN, // d* / (1 + d*): finite when the peak is not
    VALUE_SLOPE,
    VALUES
};

/* What beta multiplies: d^2 or d ln d. */
static double bend(enum overopt_form form, double d)
{
    if (form == OVEROPT_BEST_OF_N)
        return d * d;
    return d > 0 ? d * log(d) : 0;
}

double overopt_value(enum overopt_form form, double alpha, double beta,
                     double d)
{
    return alpha * d - beta * bend(form, d);
}

static double slope_at(enum overopt_form form, double alpha, double beta,
                       double d)
{
    if (form == OVEROPT_BEST_OF_N)
        return alpha - 2 * beta * d;
    return alpha - beta * (log(d) + 1);
}

/* d* / (1 + d*): 1 when the curve never turns, 0 when it falls at once. */
static double turn(enum overopt_form form, double alpha, double beta)
{
    if (form == OVEROPT_RL) {
        if (!(beta > 0))
            return beta < 0 ? 1 : alpha > 0;
        double peak = exp(alpha / beta - 1);
        return isinf(peak) ? 1 : peak / (1 + peak);
    }
    if (!(alpha > 0))
        return beta < 0 ? 1 : 0;
    return beta > 0 ? alpha / (alpha + 2 * beta) : 1;
}

static double peak_of(double turned)
{
    return turned < 1 ? turned / (1 - turned) : (double)INFINITY;
}

/* Mean of x over the prompts drawn, of those measured. */
static double mean_at(const double *x, const size_t *index, size_t n)
{
    double sum = 0;
    double count = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[index[i]]))
            continue;
        sum += x[index[i]];
        count++;
    }
    return sum / count;
}

static void read_points(struct fitting *f, const size_t *index, size_t n)
{
    for (size_t c = 0; c < f->x->m; c++) {
        double kl = mean_at(f->x->kl + c * f->x->n, index, n);
        f->d[c] = kl > 0 ? sqrt(kl) : kl * 0;
        f->gain[c] = mean_at(f->x->gain + c * f->x->n, index, n);
    }
}

static void fit(void *ctx, double *value, size_t r, const size_t *index,
                size_t n)
{
    struct fitting *f = ctx;
    double aa = 0, ab = 0, bb = 0, ay = 0, by = 0;
    (void)r;
    read_points(f, index, n);
    for (size_t c = 0; c < f->x->m; c++) {
        if (!f->is_used[c])
            continue;
        double a = f->d[c];
        double b = -bend(f->form, a);
        aa += a * a;
        ab += a * b;
        bb += b * b;
        ay += a * f->gain[c];
        by += b * f->gain[c];
    }
    double determinant = aa * bb - ab * ab;
    for (size_t k = 0; k < VALUES; k++)
        value[k] = (double)NAN;
    /* Points at one and the same d carry one equation. */
    if (!(determinant > 1e-12 * aa * bb))
        return;
    double alpha = (ay * bb - by * ab) / determinant;
    double beta = (by * aa - ay * ab) / determinant;
    value[VALUE_ALPHA] = alpha;
    value[VALUE_BETA] = beta;
    value[VALUE_TURN] = turn(f->form, alpha, beta);
    value[VALUE_SLOPE] = slope_at(f->form, alpha, beta, f->d[f->x->m - 1]);
}

static void choose_points(struct fitting *f, struct overopt *out,
                          const size_t *index)
{
    read_points(f, index, f->x->n);
    for (size_t c = 0; c < f->x->m; c++) {
        double low = f->form == OVEROPT_RL ? OVEROPT_RL_MIN : 0;
        f->is_used[c] = f->d[c] >= low && isfinite(f->gain[c]);
        out->points += f->is_used[c];
        out->last = f->d[c];
    }
}

/* What the estimates imply; reads the points of all prompts again. */
static void judge(struct fitting *f, struct overopt *out, const size_t *index)
{
    double squares = 0;
    double farthest = 0;
    read_points(f, index, f->x->n);
    for (size_t c = 0; c < f->x->m; c++) {
        if (!f->is_used[c])
            continue;
        double e = f->gain[c] - overopt_value(f->form, out->alpha.estimate,
                                              out->beta.estimate, f->d[c]);
        squares += e * e;
        farthest = fmax(farthest, f->d[c]);
    }
    out->rmse = sqrt(squares / (double)out->points);
    out->is_extrapolated = out->peak.estimate > farthest;
    out->is_past_peak = out->last > out->peak.high && out->slope.high < 0;
}

enum status overopt_fit(struct overopt *out, enum overopt_form form,
                        const struct overopt_points *points,
                        const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct fitting f = {.form = form, .x = points};
    struct overopt o = {.last = (double)NAN,
                        .rmse = (double)NAN,
                        .alpha = summary_nothing(),
                        .beta = summary_nothing(),
                        .peak = summary_nothing(),
                        .slope = summary_nothing()};
    struct estimate e[VALUES];
    size_t *all = NULL;
    TRY_DONE(MEM_NEW(f.is_used, points->m, err));
    TRY_DONE(MEM_NEW(f.d, points->m, err));
    TRY_DONE(MEM_NEW(f.gain, points->m, err));
    TRY_DONE(MEM_NEW(all, points->n, err));
    for (size_t i = 0; i < points->n; i++)
        all[i] = i;
    choose_points(&f, &o, all);
    if (o.points < OVEROPT_POINTS_MIN) {
        o.reason = form == OVEROPT_RL
                       ? "fewer than three points with sqrt(KL) of .5 or more"
                       : "fewer than three points";
    } else {
        TRY_DONE(summary_bootstrap_many(e, NULL, fit, &f, VALUES, points->n,
                                        plan, err));
        o.alpha = e[VALUE_ALPHA];
        o.beta = e[VALUE_BETA];
        o.slope = e[VALUE_SLOPE];
        o.peak = (struct estimate){
            peak_of(e[VALUE_TURN].estimate), peak_of(e[VALUE_TURN].low),
            peak_of(e[VALUE_TURN].high), e[VALUE_TURN].n};
        if (isnan(e[VALUE_ALPHA].estimate)) {
            o.peak = summary_nothing();
            o.reason = "the points do not differ in KL";
        } else {
            judge(&f, &o, all);
        }
    }
    *out = o;
done:
    mem_free(all);
    mem_free(f.gain);
    mem_free(f.d);
    mem_free(f.is_used);
    return status;
}
