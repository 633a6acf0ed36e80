/*
 * pairs.h - people's choices beside the reward model's, pair by pair: of the
 * reward run's held-out rankings (probes/pairs.json), or of blind votes.
 *
 * A pair is told from its first response's side: d* are first minus second.
 */
#ifndef PLUMB_DIAGNOSE_PAIRS_H
#define PLUMB_DIAGNOSE_PAIRS_H

#include "diagnose/evidence.h"

struct pairs {
    size_t n, n_prompts;
    size_t *prompt;   // [n]
    double *chosen;   // [n] 1: the first was preferred, 0: the second, 1/2
    double *d_score;  // [n]
    double *d_tokens; // [n]
};

/* All pairs of different rank within a held-out prompt.  n is 0 without the
 * probe.  ERR_MEMORY is the only failure.  Free with pairs_free(). */
enum status pairs_of_rankings(struct pairs *out, const struct evidence *e,
                              struct err *err) MUST_CHECK;

/* First visits of policy pairs, or of placebo pairs: tested minus other. */
enum status pairs_of_votes(struct pairs *out, const struct evidence *e,
                           bool is_placebo, struct err *err) MUST_CHECK;

void pairs_free(struct pairs *p);

/*
 * Slopes, per token, with prompts as the unit:
 *     human       b_H of P(first chosen) = sigma(b_H d_tokens)
 *     model       a b_RM: least squares of d_score on d_tokens through the
 *                 origin, times the slope a of P(first chosen) =
 *                 sigma(a d_score); so both are logits of a person's choice
 *     excess      model - human, on the same resamples
 *     calibration a
 * Nothing where the choices have no maximum.  ERR_MEMORY.
 */
struct pairs_slopes {
    struct estimate human, model, excess, calibration;
};
enum status pairs_slopes(struct pairs_slopes *out, const struct pairs *p,
                         const struct bootstrap *plan,
                         struct err *err) MUST_CHECK;

#endif
