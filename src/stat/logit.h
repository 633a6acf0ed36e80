/*
 * logit.h - logistic regression, with the prompt as the unit.
 *
 *     P(y[i] = 1) = sigma(offset[i] + a + sum over j of b[j] x[i,j])
 *
 * maximises
 *     sum w[i] (y[i] log p[i] + (1 - y[i]) log(1 - p[i]))
 *         - ridge / 2 * sum over j of (scale[j] b[j])^2
 *
 * y is any number in [0,1]: a tie is 1/2, a judge's probability is itself.
 * scale[j] is the root mean square of column j after centring, so that `ridge`
 * means the same whatever the units; the constant is not penalised.
 *
 * Found by Newton's method (iteratively reweighted least squares), halving
 * steps that do not improve, on columns made orthonormal (stat/design.h).
 * Collinear columns get NaN and are named.
 *
 * Where some combination of the columns orders all y = 1 above all y = 0 the
 * likelihood rises for ever and no maximum exists (Albert and Anderson 1984).
 * Newton's steps then keep their length while the information in that direction
 * vanishes; when less than 4e-10 of what p = 1/2 would give is left, the fit is
 * refused with ERR_NUMERIC (and so is one whose column owes its spread to a
 * single row, to that extent).  So is a fit on outcomes all 0 or all 1.
 * A ridge above 0 has a maximum on any data, unless outcomes are all alike.
 *
 * Two measures of doubt, both with prompts as clusters:
 *     se         CR1: c H^-1 (sum over g of s[g] s[g]') H^-1 with
 *                s[g] = sum over i in g of w[i] x[i] (y[i] - p[i]), c as
 *                design_cluster_factor()
 *     bootstrap  prompts drawn with replacement, all their rows with them
 *
 * Checked against statsmodels' binomial GLM, cov_type "cluster", and with a
 * ridge against SciPy's minimiser.
 */
#ifndef PLUMB_STAT_LOGIT_H
#define PLUMB_STAT_LOGIT_H

#include "stat/design.h"
#include "stat/summary.h"

struct logit {
    size_t n, prompts; // rows and prompts it rests on
    double coefficient[DESIGN_COLUMNS], se[DESIGN_COLUMNS];
    double constant, constant_se; // NaN where none is fitted
    double log_likelihood;        // without the penalty
    struct design_collinear collinear;
};

/* 1 / (1 + exp(-x)). */
double logit_sigma(double x);

/*
 * Fit; `centre` is DESIGN_CONSTANT or DESIGN_ORIGIN.  One constant per prompt
 * is not offered: with a few rows each the slopes would be biased away from 0
 * (Neyman and Scott 1948).
 *   fitted  out [data->n]  p[i]; NaN for rows left out; NULL: not wanted
 *   ridge   >= 0
 * ERR_NUMERIC: no maximum, as above; ERR_MEMORY.  Without any row all numbers
 * are NaN and the fit is OK.
 */
enum status logit_fit(struct logit *out, double *fitted,
                      const struct design_data *data, enum design_centre centre,
                      double ridge, struct err *err) MUST_CHECK;

/*
 * Every coefficient with its percentile interval: out [p + 1], the constant
 * last; n is the number of prompts it rests on.  A resample without a maximum
 * counts as undefined (summary_bootstrap()).
 *   draws  out [p + 1, resamples] as summary_bootstrap_many(); may be NULL
 * Fails as logit_fit() does, when all rows have no maximum.
 */
enum status logit_bootstrap(struct estimate *out, double *draws,
                            const struct design_data *data,
                            enum design_centre centre, double ridge,
                            const struct bootstrap *plan,
                            struct err *err) MUST_CHECK;

/* For statistics made of coefficients: the fit of any multiset of prompts,
 * starting from that of all. */
struct logit_sampler;
enum status logit_sampler_create(struct logit_sampler **out,
                                 const struct design_data *data,
                                 enum design_centre centre, double ridge,
                                 struct err *err) MUST_CHECK;
void logit_sampler_destroy(struct logit_sampler *s);

/* Its columns: which rows are in use, what was collinear. */
const struct design *logit_sampler_design(const struct logit_sampler *s);

/* coefficient [p + 1] of prompts index[0..n-1]; NaN where these have no
 * maximum.  Not for two threads at once. */
void logit_sampler_fit(struct logit_sampler *s, double *coefficient,
                       const size_t *index, size_t n);

#endif
