#include "stat/klprice.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"
#include "stat/cluster.h"

double klprice_optimum(double sd, double beta)
{
    return sd * sd / (2 * beta * beta);
}

double klprice_gain(double sd, double beta)
{
    return sd * sd / beta;
}

double klprice_coefficient(double sd, double kl)
{
    return sd / sqrt(2 * kl);
}

/* ---- any scores ---- */

static double largest(const double *x, size_t n)
{
    double top = x[0];
    for (size_t i = 1; i < n; i++)
        top = fmax(top, x[i]);
    return top;
}

double klprice_effective(const double *log_weight, size_t n)
{
    if (n == 0)
        return (double)NAN;
    double top = largest(log_weight, n);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double w = exp(log_weight[i] - top);
        sum += w;
        squares += w * w;
    }
    return sum * sum / squares;
}

/* Values of one prompt's replies, gathered. */
static size_t gather(double *out, const struct cluster *c, size_t p,
                     const double *x)
{
    size_t n = 0;
    for (size_t k = c->start[p]; k < c->start[p + 1]; k++)
        if (!isnan(x[c->row[k]]))
            out[n++] = x[c->row[k]];
    return n;
}

/* Columns by prompt. */
struct sampled {
    double *kl, *gain, *effective, *log_n; // NaN where left out
    double *squares, *freedom;             // 0 where left out
    double *scratch;
    double beta;
};

static void sample_prompt(struct sampled *s, size_t p, size_t n)
{
    double *x = s->scratch;
    double mean = summary_mean(x, n);
    double sum = 0, kl = 0, score = 0;
    for (size_t i = 0; i < n; i++)
        s->squares[p] += (x[i] - mean) * (x[i] - mean);
    s->freedom[p] = (double)(n - 1);
    s->log_n[p] = log((double)n);
    double top = largest(x, n);
    for (size_t i = 0; i < n; i++)
        sum += exp((x[i] - top) / s->beta);
    for (size_t i = 0; i < n; i++) {
        double log_share = (x[i] - top) / s->beta - log(sum);
        double share = exp(log_share);
        /* A share of zero adds nothing; its logarithm is finite. */
        kl += share * (log_share + s->log_n[p]);
        score += share * x[i];
    }
    s->kl[p] = kl;
    s->gain[p] = score - mean;
    for (size_t i = 0; i < n; i++)
        x[i] /= s->beta;
    s->effective[p] = klprice_effective(x, n) / (double)n;
}

struct spread {
    const double *squares, *freedom;
    double beta;
};

static void spread_statistic(void *ctx, double *value, size_t r,
                             const size_t *index, size_t n)
{
    const struct spread *s = ctx;
    double squares = 0, freedom = 0;
    (void)r;
    for (size_t i = 0; i < n; i++) {
        squares += s->squares[index[i]];
        freedom += s->freedom[index[i]];
    }
    value[0] = sqrt(squares / freedom);
    value[1] = klprice_optimum(value[0], s->beta);
}

static enum status sampled_allocate(struct sampled *s, size_t n,
                                    size_t n_prompts, struct err *err)
{
    TRY(MEM_NEW(s->kl, n_prompts, err));
    TRY(MEM_NEW(s->gain, n_prompts, err));
    TRY(MEM_NEW(s->effective, n_prompts, err));
    TRY(MEM_NEW(s->log_n, n_prompts, err));
    TRY(MEM_NEW(s->squares, n_prompts, err));
    TRY(MEM_NEW(s->freedom, n_prompts, err));
    return MEM_NEW(s->scratch, n, err);
}

static void sampled_free(struct sampled *s)
{
    mem_free(s->scratch);
    mem_free(s->freedom);
    mem_free(s->squares);
    mem_free(s->log_n);
    mem_free(s->effective);
    mem_free(s->gain);
    mem_free(s->kl);
}

enum status klprice_sample(struct klprice_sampled *out, const double *score,
                           const size_t *prompt, size_t n, size_t n_prompts,
                           double beta, const struct bootstrap *plan,
                           struct err *err)
{
    enum status status = OK;
    struct klprice_sampled k = {0};
    struct sampled s = {.beta = beta};
    struct cluster c = {0};
    struct estimate log_n, both[2];
    assert(beta > 0);
    TRY_DONE(cluster_build(&c, prompt, n, n_prompts, err));
    TRY_DONE(sampled_allocate(&s, n, n_prompts, err));
    for (size_t p = 0; p < n_prompts; p++) {
        size_t m = gather(s.scratch, &c, p, score);
        s.kl[p] = s.gain[p] = s.effective[p] = s.log_n[p] = (double)NAN;
        if (m >= 2)
            sample_prompt(&s, p, m);
    }
    TRY_DONE(summary_estimate_mean(&k.kl, s.kl, n_prompts, plan, err));
    TRY_DONE(summary_estimate_mean(&k.gain, s.gain, n_prompts, plan, err));
    TRY_DONE(
        summary_estimate_mean(&k.effective, s.effective, n_prompts, plan, err));
    TRY_DONE(summary_estimate_mean(&log_n, s.log_n, n_prompts, plan, err));
    struct spread spread = {s.squares, s.freedom, beta};
    TRY_DONE(summary_bootstrap_many(both, NULL, spread_statistic, &spread, 2,
                                    n_prompts, plan, err));
    k.ceiling = log_n.estimate;
    k.is_bound = k.kl.estimate > KLPRICE_CEILING * k.ceiling;
    k.sd = both[0];
    k.optimum = both[1];
    k.sd.n = k.optimum.n = k.kl.n;
    *out = k;
done:
    sampled_free(&s);
    cluster_free(&c);
    return status;
}

/* ---- length ---- */

double klprice_length_exact(double m, double m_new)
{
    double h = 1 / m;
    double h_new = 1 / m_new;
    assert(m >= 1 && m_new >= 1);
    double go_on = m_new > 1 ? (m_new - 1) * (log1p(-h_new) - log1p(-h)) : 0;
    return log(h_new / h) + go_on;
}

double klprice_length(double rho)
{
    return rho - 1 - log(rho);
}

double klprice_lambda(double b, double m, double beta)
{
    return b * m / beta;
}

double klprice_length_optimum(double lambda)
{
    return lambda < 1 ? 1 / (1 - lambda) : (double)INFINITY;
}

/* ln mean e^(s (x - origin)) and its derivative, the tilted mean of x less the
 * origin. */
static double tilted(double *mean, const double *x, size_t n, double origin,
                     double s)
{
    double top = -(double)INFINITY;
    double sum = 0, moved = 0;
    for (size_t i = 0; i < n; i++)
        top = fmax(top, s * (x[i] - origin));
    for (size_t i = 0; i < n; i++) {
        double w = exp(s * (x[i] - origin) - top);
        sum += w;
        moved += w * (x[i] - origin);
    }
    *mean = moved / sum;
    return top + log(sum / (double)n);
}

double klprice_tilt(const double *length, size_t n, double target)
{
    double low = (double)INFINITY;
    double high = -(double)INFINITY;
    double at_end = 0;
    for (size_t i = 0; i < n; i++) {
        low = fmin(low, length[i]);
        high = fmax(high, length[i]);
        at_end += length[i] == target;
    }
    if (n == 0 || isnan(target))
        return (double)NAN;
    if (target < low || target > high)
        return (double)INFINITY;
    if (target == low || target == high)
        return log((double)n / at_end);
    /* The tilted mean rises with s and passes the target where the supremum
     * is.  Bracket it, then halve. */
    double mean;
    double from = -1 / (high - low);
    double to = -from;
    while (tilted(&mean, length, n, target, from), mean > 0)
        from *= 2;
    while (tilted(&mean, length, n, target, to), mean < 0)
        to *= 2;
    for (int i = 0; i < 100; i++) {
        double middle = (from + to) / 2;
        (void)tilted(&mean, length, n, target, middle);
        if (mean < 0)
            from = middle;
        else
            to = middle;
    }
    return fmax(0, -tilted(&mean, length, n, target, (from + to) / 2));
}

enum status klprice_lengths(struct klprice_lengths *out, const double *length,
                            const size_t *prompt, size_t n,
                            const double *target, size_t n_prompts,
                            const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct klprice_lengths k = {0};
    struct cluster c = {0};
    double *kl = NULL;
    double *scratch = NULL;
    TRY_DONE(cluster_build(&c, prompt, n, n_prompts, err));
    TRY_DONE(MEM_NEW(kl, n_prompts, err));
    TRY_DONE(MEM_NEW(scratch, n, err));
    for (size_t p = 0; p < n_prompts; p++) {
        size_t m = gather(scratch, &c, p, length);
        kl[p] = m >= 2 ? klprice_tilt(scratch, m, target[p]) : (double)NAN;
        if (isinf(kl[p])) {
            kl[p] = log((double)m);
            k.beyond++;
        }
    }
    TRY_DONE(summary_estimate_mean(&k.kl, kl, n_prompts, plan, err));
    k.is_bound = k.beyond > 0;
    *out = k;
done:
    mem_free(scratch);
    mem_free(kl);
    cluster_free(&c);
    return status;
}
