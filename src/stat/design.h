/*
 * design.h - the columns of a regression, made orthonormal once.
 *
 * What regress.h and logit.h share.  Rows i have columns x[i,j], a weight w[i]
 * and the prompt they belong to.  Three steps make them harmless numerically,
 * whatever units they came in:
 *
 *     centre   x[i,j] - mean of column j, over all rows or over the rows of
 *              the prompt (fixed effects: the within transformation)
 *     scale    by the column's weighted root mean square
 *     rotate   X = Z R by Givens rotations, row after row (Gentleman 1973), R
 *              upper triangular, so that with W = sum w[i]
 *                  1/W sum w[i] z[i] z[i]' = identity
 *
 * The second and later passes work with Z alone, where normal equations are
 * perfectly conditioned and as good as any QR; `back` brings coefficients home.
 * A column of which the columns before it explain all but 1e-7 of its length
 * (the tolerance of R's lm) is collinear: it is left out and named, not given a
 * value.  A column that does not vary is collinear too.
 *
 * Rows with a number that is not finite, or of weight 0, are left out.  With
 * DESIGN_PROMPTS, so are prompts with one row only: their effect takes up all
 * they say, and counting them would make standard errors too small (Correia
 * 2015).
 */
#ifndef PLUMB_STAT_DESIGN_H
#define PLUMB_STAT_DESIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Most columns, and most coefficients: the constant is the last. */
#define DESIGN_COLUMNS 16
#define DESIGN_MAX (DESIGN_COLUMNS + 1)

/* Kept by the caller for as long as what was made of it is used. */
struct design_data {
    size_t n, p, n_prompts;  // rows; columns, p <= DESIGN_COLUMNS; prompts
    const double *x;         // [n,p]; may be NULL when p is 0
    const double *y;         // [n] outcome
    const double *weight;    // [n], >= 0; NULL: 1
    const double *offset;    // [n] of the linear predictor; NULL: 0
    const size_t *prompt;    // [n], < n_prompts
    const char *const *name; // [p] of columns, for people; NULL: "column 2"
};

enum design_centre {
    DESIGN_CONSTANT, // a constant is fitted
    DESIGN_ORIGIN,   // none: the line goes through the origin
    DESIGN_PROMPTS,  // one constant per prompt
};

/* Columns that got no coefficient. */
struct design_collinear {
    size_t n;
    size_t column[DESIGN_COLUMNS];
};

struct design {
    const struct design_data *data;
    enum design_centre centre;
    size_t n;       // rows in use
    size_t prompts; // prompts with one at least
    size_t k;       // coordinates of Z, the constant (coordinate 0) included
    double total;   // W
    size_t *row;    // [n] their numbers in the data, prompt by prompt
    size_t *first;  // [n_prompts + 1] where a prompt's begin in `row`
    double *weight; // [n]
    double *z;      // [n,k]
    struct design_collinear collinear;
    /* Coefficient c is sum over a of back[c][a] gamma[a]; c = p is the
     * constant.  Rows of collinear columns are NaN, and so is the constant's
     * where none is fitted. */
    double back[DESIGN_MAX][DESIGN_MAX];
    /* Root mean square of column j after centring: what a coefficient is
     * multiplied by to be one per standard deviation. */
    double scale[DESIGN_COLUMNS];
};

/* ERR_MEMORY is the only failure.  Free with design_free(). */
enum status design_init(struct design *out, const struct design_data *data,
                        enum design_centre centre, struct err *err) MUST_CHECK;
void design_free(struct design *d);

/*
 * out[i], i < d->n: column y [data->n] at the rows in use, less its mean over
 * the prompt (DESIGN_PROMPTS) or over all rows (DESIGN_CONSTANT).
 */
void design_centre_column(const struct design *d, double *out, const double *y);

/* The coefficients [p + 1] of gamma [k]. */
void design_coefficients(const struct design *d, double *coefficient,
                         const double *gamma);

/* Their standard errors [p + 1] from the covariance [k,k] of gamma. */
void design_errors(const struct design *d, double *se,
                   const double *covariance);

/*
 * The factor of a cluster-robust covariance (CR1; Cameron and Miller 2015):
 *     G / (G - 1) * (N - 1) / (N - K)
 * with G prompts, N rows and K coefficients, constant included.  Prompt effects
 * count as one constant, since prompts are the clusters.  NaN when G < 2 or
 * N <= K.
 */
double design_cluster_factor(const struct design *d);

/* How often each prompt was drawn: times [n_prompts] from index [n]. */
void design_count(const struct design *d, double *times, const size_t *index,
                  size_t n);

/* Appends "length, bold: collinear with the columns before" or nothing. */
void design_words(struct buf *out, const struct design_data *data,
                  const struct design_collinear *collinear);

#endif
