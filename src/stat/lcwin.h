/*
 * lcwin.h - how often the policy would win if lengths were equal.
 *
 * Raters and judges like long responses.  A win rate therefore mixes how good
 * a policy is with how long it writes.  With h the judgement of a pair (1: the
 * policy's response is preferred, 1/2: a tie, or a judge's probability), dL the
 * policy's length minus the reference's, and d how hard the prompt is for the
 * reference,
 *
 *     P(h[i] = 1) = sigma(theta + phi tanh(dL[i] / sd) + gamma d[i])
 *     length-controlled win rate = mean over i of sigma(theta + gamma d[i])
 *
 * (Dubois et al. 2024, "Length-controlled AlpacaEval", for one pair of models.)
 *
 *     theta  log-odds of winning at equal length, on a prompt of d = 0
 *     phi    taste for length: log-odds gained from "much longer"
 *     gamma  log-odds per unit of difficulty; NaN when d is not given
 *     sd     standard deviation of dL over all pairs, with n - 1: the unit of
 *            length, taken once and not anew in every resample
 *
 * tanh saturates: twice as long and five times as long look alike.  What is
 * held fixed is length alone, so a response that had to be longer to be better
 * gets too little credit here; theta and the plain rate are read together.
 *
 * AlpacaEval fits the same formula with dL = baseline minus model, in
 * characters; its phi has the other sign, and adds an L1 penalty by
 * cross-validation and invented baselines, which ours does without.
 */
#ifndef PLUMB_STAT_LCWIN_H
#define PLUMB_STAT_LCWIN_H

#include "stat/summary.h"

struct lcwin_pairs {
    size_t n, n_prompts;
    const size_t *prompt;            // [n], < n_prompts
    const double *win;               // [n] h in [0,1]; NaN: not judged
    const double *length_difference; // [n] dL, in any unit
    const double *difficulty;        // [n] d; NULL: not in the formula
};

/* The regression alone.  Rates are shares, not percent. */
struct lcwin_fit {
    size_t n;                // pairs judged and measured
    double win_rate, win_se; // mean h, and sd(h) / sqrt n with n - 1
    double rate, rate_se;    // length-controlled; the se is that of a mean
                             // of n predictions, as AlpacaEval prints it
    double theta, phi, gamma;
    double sd;
};

/*
 * ERR_NUMERIC: the judgements have no maximum, since all pairs went one way or
 * lengths (or difficulties) separate them; ERR_MEMORY.  phi is NaN when all
 * lengths differ alike, gamma when no prompt is harder than another; of no
 * pairs all is NaN.
 */
enum status lcwin_fit(struct lcwin_fit *out, const struct lcwin_pairs *pairs,
                      struct err *err) MUST_CHECK;

/* The same numbers with intervals over prompts. */
struct lcwin {
    size_t pairs;
    struct estimate win_rate; // of the pairs that are in the regression
    struct estimate rate;     // length-controlled
    struct estimate shift;    // rate - win_rate
    struct estimate theta, phi, gamma;
    double sd;
};

enum status lcwin_estimate(struct lcwin *out, const struct lcwin_pairs *pairs,
                           const struct bootstrap *plan,
                           struct err *err) MUST_CHECK;

/*
 * Length-controlled win rate of known weights over n prompts, as a leaderboard
 * publishes it: mean of sigma(theta + gamma d[i]) and, when `se` is not NULL,
 * its standard deviation (n - 1) over sqrt n.
 */
double lcwin_rate(double *se, double theta, double gamma, const double *d,
                  size_t n);

#endif
