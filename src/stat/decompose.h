/*
 * decompose.h - how much of a change is length, how much is anything else.
 *
 * A policy that answers at more length has a larger KL per reply and, under a
 * reward model that likes length, a larger reward.  Each function splits one
 * change between two models (reference and policy, or two checkpoints) into
 * parts that add up to it exactly.  All intervals resample prompts
 * (stat/summary.h).
 *
 * A split describes: it says which part of a difference goes along with
 * length.  Whether length caused it is said by edits that change length and not
 * content, see decompose_constant().
 */
#ifndef PLUMB_STAT_DECOMPOSE_H
#define PLUMB_STAT_DECOMPOSE_H

#include <stdbool.h>

#include "stat/summary.h"

/* ---- KL per reply = length x KL per token ---- */

/*
 * With mean length L and kappa = total KL / total tokens (Kitagawa 1955, exact)
 *     KL1 - KL0 = (L1 - L0) (kappa0 + kappa1) / 2      by length
 *               + (kappa1 - kappa0) (L0 + L1) / 2      by rate
 */
struct decompose_kl {
    struct estimate change, by_length, by_rate;
    /* by_length / change; nothing when the interval of the change covers 0,
     * since a share of nothing is no number. */
    struct estimate share_length;
};

/*
 * Per prompt i, means over its replies: KL (nats per reply) and length (tokens)
 * before, kl0[i], length0[i], and after.  A prompt with a NaN is left out.
 * ERR_MEMORY is the only failure.
 */
enum status decompose_kl(struct decompose_kl *out, const double *kl0,
                         const double *length0, const double *kl1,
                         const double *length1, size_t n,
                         const struct bootstrap *plan,
                         struct err *err) MUST_CHECK;

/* ---- reward gain, by bins of length ---- */

/* Scored replies of two models to the same prompts.  Prompts without replies
 * of both are left out, and so is a reply with a NaN. */
struct decompose_replies {
    size_t n, n_prompts;
    const size_t *prompt;  // [n] < n_prompts
    const bool *is_policy; // [n]
    const double *score;   // [n]
    const double *length;  // [n] tokens, >= 0
    const double *feature; // [n * features] for decompose_oaxaca(), or NULL
    size_t features;
};

/* Width of a bin where none is given, tokens. */
#define DECOMPOSE_BIN 20

/* Below this overlap nothing is said about equal lengths. */
#define DECOMPOSE_OVERLAP_MIN 0.30

/*
 * With n[g,b] replies of model g in bin b and their mean score r[g,b]:
 *
 *   gain     mean score of the policy's replies minus the reference's
 *   overlap  sum_b min(n[pi,b] / n[pi], n[ref,b] / n[ref])
 *   nrg      non-length reward gain (Singhal et al. 2023): over bins that both
 *            have, sum_b n[b] (r[pi,b] - r[ref,b]) / sum_b n[b],
 *            n[b] = n[pi,b] + n[ref,b]
 *   nrg_share  nrg / gain; nothing when the interval of the gain covers 0
 *   nie      natural indirect effect, through length (Pearl 2001):
 *            sum_b r[ref,b] (n[pi,b] / n[pi] - n[ref,b] / n[ref])
 *   nde      gain - nie
 *   covered  share of the policy's replies in bins that the reference has; for
 *            the others the nearest such bin stands in
 *
 * Below DECOMPOSE_OVERLAP_MIN nrg, nie and nde are nothing and `reason` says
 * so.  Bins mix prompts: where prompts with long replies are also prompts with
 * high scores, that counts as length.  decompose_oaxaca() compares within
 * prompts.
 */
struct decompose_length {
    struct estimate gain, overlap, nrg, nrg_share, nie, nde, covered;
    const char *reason; // NULL, or why the four are nothing
};

/* width: tokens in a bin, 0 for DECOMPOSE_BIN.  ERR_MEMORY; ERR_ARG for a
 * length that is negative or not finite. */
enum status decompose_length(struct decompose_length *out,
                             const struct decompose_replies *replies,
                             double width, const struct bootstrap *plan,
                             struct err *err) MUST_CHECK;

/* ---- reward gain, by features ---- */

#define DECOMPOSE_FEATURES_MAX 12

enum decompose_weights {
    DECOMPOSE_REFERENCE, // slopes among the reference's replies
    DECOMPOSE_POLICY,    // among the policy's
    DECOMPOSE_POOLED,    // among both
    DECOMPOSE_WEIGHTS
};

/*
 * Oaxaca and Blinder's two parts, with slopes b within prompts:
 *
 *     gain = sum_f (mean x[pi,f] - mean x[ref,f]) b[f]     explained
 *          + the rest, of which replies with equal features differ
 *
 * b is the least-squares slope of score on features with one intercept per
 * prompt and model.  The split is not unique, so it is made with the slopes of
 * the reference, of the policy, and of both; when they disagree, score depends
 * on the features differently under the policy.
 *
 * feature[f] is the Shapley value of f in the explained part: what adding f
 * (and fitting anew) adds, averaged over all orders of adding features.
 * Features that occur together share what they explain instead of hiding one
 * behind the other; the values sum to `explained`.
 *
 * Prompts weigh the same; their differences are of means over their replies.
 */
struct decompose_split {
    struct estimate explained, rest;
    struct estimate share; // explained / gain; nothing as above
    struct estimate feature[DECOMPOSE_FEATURES_MAX];
};

struct decompose_oaxaca {
    struct estimate gain;
    struct decompose_split split[DECOMPOSE_WEIGHTS];
};

/*
 * 1 to DECOMPOSE_FEATURES_MAX features.  One that does not vary within prompts,
 * or that others determine, explains nothing beyond them.  A set of slopes
 * without any variation is nothing.  ERR_MEMORY is the only failure.
 * O(2^features features^2) a resample.
 */
enum status decompose_oaxaca(struct decompose_oaxaca *out,
                             const struct decompose_replies *replies,
                             const struct bootstrap *plan,
                             struct err *err) MUST_CHECK;

/* ---- length changed and content not ---- */

/* Replies scored before and after an edit that keeps what they say. */
struct decompose_edits {
    size_t n;
    const size_t *prompt;         // [n] < n_prompts of the replies
    const double *added;          // [n] tokens, negative when trimmed
    const double *before, *after; // [n] scores
};

/*
 *   slope      sum (after - before) / sum added: reward per token of padding
 *   predicted  slope * (mean length of the policy - of the reference): the gain
 *              that padding alone would have brought
 *   ratio      nie of decompose_length() / predicted
 * The observed effect through length deserves its name when the two agree;
 * beyond a factor of two only `predicted` should be told.
 */
struct decompose_constant {
    struct estimate slope, predicted, ratio;
    bool is_close; // ratio within [1/2, 2]
};

enum status decompose_constant(struct decompose_constant *out,
                               const struct decompose_edits *edits,
                               const struct decompose_replies *replies,
                               double width, const struct bootstrap *plan,
                               struct err *err) MUST_CHECK;

#endif
