/*
 * regress.h - ordinary least squares, with the prompt as the unit.
 *
 *     y[i] = a + sum over j of b[j] x[i,j] + e[i]            DESIGN_CONSTANT
 *     y[i] = a[prompt of i] + sum over j of b[j] x[i,j] + e[i]  DESIGN_PROMPTS
 *
 * minimises sum w[i] e[i]^2.  With prompt effects b rests on differences within
 * prompts only (the within estimator): a reward model's scores may be shifted
 * by any function of the prompt without changing it, and a prompt that asks for
 * long responses is not taken for a reward model that likes them.
 *
 * Columns are made orthonormal first (stat/design.h), so neither their units
 * nor large means cost digits; collinear ones get NaN and are named.
 *
 * Two measures of doubt, both with prompts as clusters:
 *     se         CR1: V = c (X'WX)^-1 (sum over g of s[g] s[g]') (X'WX)^-1,
 *                s[g] = sum over i in g of w[i] x[i] e[i], c as
 *                design_cluster_factor() (Cameron and Miller 2015, eq. 11)
 *     bootstrap  prompts drawn with replacement, all their rows with them
 *
 * Checked against statsmodels: OLS and WLS with and without prompt dummies,
 * cov_type "cluster".
 */
#ifndef PLUMB_STAT_REGRESS_H
#define PLUMB_STAT_REGRESS_H

#include "stat/design.h"
#include "stat/summary.h"

struct regress {
    size_t n, prompts; // rows and prompts it rests on
    double coefficient[DESIGN_COLUMNS], se[DESIGN_COLUMNS];
    double constant, constant_se; // NaN where none is fitted
    /* 1 - sum w e^2 / sum w (y - mean)^2, with prompt effects around the
     * prompt's mean ("within"), through the origin around 0. */
    double r2;
    double residual_sd; // sqrt(sum w e^2 / (W (1 - parameters / n)))
    struct design_collinear collinear;
};

/*
 * Fit.  data->offset is subtracted from y.
 *   residual  out [data->n]  e[i], with prompt effects taken off; NaN for rows
 *             left out; NULL: not wanted
 * Coefficients without rows to rest on are NaN.  ERR_MEMORY is the only
 * failure.
 */
enum status regress_fit(struct regress *out, double *residual,
                        const struct design_data *data,
                        enum design_centre centre, struct err *err) MUST_CHECK;

/*
 * Every coefficient with its percentile interval: out [p + 1], the constant
 * last; n is the number of prompts it rests on.
 *   draws  out [p + 1, resamples] as summary_bootstrap_many(); may be NULL
 */
enum status regress_bootstrap(struct estimate *out, double *draws,
                              const struct design_data *data,
                              enum design_centre centre,
                              const struct bootstrap *plan,
                              struct err *err) MUST_CHECK;

/*
 * For statistics made of coefficients: the fit of any multiset of prompts,
 * O(prompts * p^2) each after one pass over the rows.
 */
struct regress_sampler;
enum status regress_sampler_create(struct regress_sampler **out,
                                   const struct design_data *data,
                                   enum design_centre centre,
                                   struct err *err) MUST_CHECK;
void regress_sampler_destroy(struct regress_sampler *s);

/* Prompts behind it. */
size_t regress_sampler_prompts(const struct regress_sampler *s);

/* coefficient [p + 1] of prompts index[0..n-1]; NaN where these leave a column
 * collinear.  Not for two threads at once. */
void regress_sampler_fit(struct regress_sampler *s, double *coefficient,
                         const size_t *index, size_t n);

#endif
