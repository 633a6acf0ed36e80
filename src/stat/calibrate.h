/*
 * calibrate.h - can the reward model's differences be read as win
 * probabilities?
 *
 * A ranking loss fits P(win) = sigma(delta r), so a difference of scores is a
 * claim about how often raters would agree.  Three questions, each with the
 * prompt as the unit:
 *
 *     slope       a in P(win) = sigma(a delta r), on held-out pairs: 1 is
 *                 calibrated, less is over-confident
 *     table       are wins as frequent as predicted, decile by decile?
 *     gap         G = mean sigma(a delta r) - mean h on pairs of policy and
 *                 reference: does the model promise more wins on what the
 *                 policy writes now than raters grant?
 *
 * Scores of different prompts are not comparable (a ranking loss leaves a shift
 * free per prompt), so all of it is in differences within prompts.
 */
#ifndef PLUMB_STAT_CALIBRATE_H
#define PLUMB_STAT_CALIBRATE_H

#include "stat/summary.h"

/* Two responses to one prompt, the first against the second. */
struct calibrate_pairs {
    size_t n, n_prompts;
    const size_t *prompt;           // [n], < n_prompts
    const double *score_difference; // [n] delta r, first minus second
    const double *win;              // [n] in [0,1]: how far the first was
                                    // preferred, a tie 1/2; NaN: not judged
};

/*
 * The slope a: logistic regression through the origin (stat/logit.h).  It does
 * not depend on which response comes first.
 *   draws  out [resamples] as summary_bootstrap_many(); NULL: not wanted
 * ERR_NUMERIC when the model orders all pairs right (or all wrong): then any
 * slope is too small; ERR_MEMORY.
 */
enum status calibrate_slope(struct estimate *out, double *draws,
                            const struct calibrate_pairs *pairs,
                            const struct bootstrap *plan,
                            struct err *err) MUST_CHECK;

#define CALIBRATE_BINS 10

struct calibrate_bin {
    size_t n;         // pairs
    double low, high; // least and largest delta r
    double predicted; // mean of sigma(a delta r)
    struct estimate observed;
};

/*
 * Reliability by deciles of delta r; equal differences share a decile, so there
 * may be fewer than ten.  Here it matters which response comes first, and that
 * must not be decided by looking at the outcome: the policy's before the
 * reference's, or the one with the higher score.
 *
 *     ECE = sum over deciles of n / N |observed - predicted|
 *
 * is above 0 for a calibrated model too, and the more so the fewer pairs.  So
 * it comes with its distribution under calibration: the wild bootstrap of
 * Cameron, Gelbach and Miller (2008) gives every prompt's deviations h - p one
 * random sign, the same for all its pairs, which keeps their size, their ties
 * and what pairs of a prompt have in common, and takes away any bias.  With 200
 * pairs of 100 prompts it rejects 6 % of calibrated models at 5 %.
 */
struct calibrate_table {
    size_t n, prompts; // pairs, prompts
    size_t bins;
    struct calibrate_bin bin[CALIBRATE_BINS];
    double ece;
    double null_mean, null_high; // under calibration: mean, and the level's
                                 // quantile (0.95)
    double p;                    // share of the null at or above ece,
                                 // (count + 1) / (resamples + 1)
};

/* All NaN without a pair, or with a NaN for a.  ERR_MEMORY is the only
 * failure. */
enum status calibrate_reliability(struct calibrate_table *out,
                                  const struct calibrate_pairs *pairs, double a,
                                  const struct bootstrap *plan,
                                  struct err *err) MUST_CHECK;

/*
 * G, and the same by thirds of how much longer the first response is: G that
 * rises with length says what the model overrates.
 */
struct calibrate_gap {
    size_t pairs;
    struct estimate gap; // predicted - observed
    struct estimate predicted, observed;
    struct estimate tercile[3]; // G of the shortest, middle, longest third
    struct estimate gradient;   // tercile[2] - tercile[0]
    double cut[2];              // length differences between the thirds
};

/*
 *   length_difference  [n], first minus second; NULL: no thirds
 *   a        slope of the reward model, from calibrate_slope() on pairs like
 *            those it was trained on
 *   a_draws  [resamples] its draws with as many resamples as this plan, so that
 *            the interval of G covers not knowing a; NULL: a is taken as known
 * ERR_MEMORY is the only failure.
 */
enum status calibrate_measure_gap(struct calibrate_gap *out,
                                  const struct calibrate_pairs *pairs,
                                  const double *length_difference, double a,
                                  const double *a_draws,
                                  const struct bootstrap *plan,
                                  struct err *err) MUST_CHECK;

#endif
