/*
 * trend.h - does a series rise?  Slope and rank test for a handful of points
 * that are neither normal nor independent.
 *
 *     Theil-Sen slope   median of (y[j] - y[i]) / (t[j] - t[i]), i < j
 *     Mann-Kendall      S = sum over i < j of sign(y[j] - y[i]),
 *                       var S = (m(m-1)(2m+5) - sum g(g-1)(2g+5)) / 18
 *                       over groups of g equal values,
 *                       z = (S - sign S) / sqrt(var S)
 *
 * (Sen 1968; Kendall 1975.)  The interval of the slope is the hull of two.
 * One is Sen's, from ranks: good for a handful of independent points, blind to
 * what a point is a mean of.  The other draws prompts with replacement, the
 * same ones at every point, and lays blocks of round(m^(1/3)) neighbouring
 * residuals around the fitted line (Kunsch 1989), since checkpoints of one run
 * resemble the ones next to them; alone it is too narrow for few points.  One
 * run is one seed: neither says anything about another seed.
 */
#ifndef PLUMB_STAT_TREND_H
#define PLUMB_STAT_TREND_H

#include "stat/summary.h"

/* Points below which no interval is given. */
#define TREND_MIN 4

/* A longer series is averaged into so many points first, neighbours with
 * neighbours: the slopes of all pairs of thousands of iterations would take
 * minutes, and the resampled blocks hold neighbours together anyway. */
#define TREND_MOST 128

struct trend {
    struct estimate slope; // per unit of t; n is the number of points
    double intercept;      // median(y) - slope * median(t)
    double s, z, p;        // Mann-Kendall, p two-sided
    double tau;            // Kendall's tau-b of t and y
};

/*
 * Points t[m], strictly increasing, and y[c * n + i]: the value of prompt i at
 * point c.  A series without prompts has n = 1.  Below two points, or with a
 * value that is not finite, all is NaN: which prompts to leave out is the
 * caller's to say.
 */
enum status trend_fit(struct trend *out, const double *t, const double *y,
                      size_t m, size_t n, const struct bootstrap *plan,
                      struct err *err) MUST_CHECK;

#endif
