/*
 * overopt.h - does more optimisation still help?  The laws of over-optimisation
 * (Gao, Schulman and Hilton 2022) fitted to a run's own points.
 *
 * With d = sqrt(KL(policy || reference)), nats per reply, true quality gained
 * over the reference follows
 *
 *     best of n              R(d) = d (alpha - beta d)
 *         peak at d* = alpha / (2 beta)
 *     reinforcement learning R(d) = d (alpha - beta ln d)
 *         peak at d* = exp(alpha / beta - 1)
 *
 * Fitted by least squares, all points alike.  The second form is infinitely
 * steep at 0, so points with d < OVEROPT_RL_MIN are left out of it.  d is not
 * comparable between the two ways of optimising.
 *
 * Intervals resample prompts (stat/summary.h), the same ones at every point, so
 * they know the noise of quality and KL but not whether the form is right:
 * `rmse` says how well it fits.  One run is one seed.
 */
#ifndef PLUMB_STAT_OVEROPT_H
#define PLUMB_STAT_OVEROPT_H

#include <stdbool.h>

#include "stat/summary.h"

enum overopt_form {
    OVEROPT_BEST_OF_N,
    OVEROPT_RL,
};

#define OVEROPT_RL_MIN 0.5
/* Points a fit needs: its two coefficients and one to be wrong about. */
#define OVEROPT_POINTS_MIN 3

/* m points in the order of training, n prompts; NaN where not measured. */
struct overopt_points {
    size_t m, n;
    const double *kl;   // [m*n] kl[c*n+i] at point c on prompt i, nats a reply
    const double *gain; // [m*n] quality less the reference's, same prompt
};

struct overopt {
    size_t points; // used
    struct estimate alpha, beta;
    /* d*.  `high` is INFINITY when the data do not bound it, and so is the
     * estimate when the curve does not turn; 0 when it falls from the start. */
    struct estimate peak;
    double last;           // d of the last point
    struct estimate slope; // dR/dd there
    double rmse;           // root mean square of the residuals, in units of R
    bool is_extrapolated;  // the peak is beyond every point
    bool is_past_peak;     // last > peak.high and slope.high < 0
    const char *reason;    // NULL, or why there is no fit (all NaN)
};

/* d (alpha - beta d) or d (alpha - beta ln d); 0 at d = 0. */
double overopt_value(enum overopt_form form, double alpha, double beta,
                     double d);

/* ERR_MEMORY is the only failure. */
enum status overopt_fit(struct overopt *out, enum overopt_form form,
                        const struct overopt_points *points,
                        const struct bootstrap *plan,
                        struct err *err) MUST_CHECK;

#endif
