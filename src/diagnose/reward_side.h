/*
 * reward_side.h - the reward model's part of the explanation: a1, a2, a3.
 *
 *   a1  the ranking-trained reward model is biased to length, beyond its
 *       labels.  Two statistics, both a token:
 *           b_pad  what a neutral sentence added to a reply brings, over the
 *                  tokens it adds (probes/edits.json): content held constant
 *           a b_RM - b_H  on the same held-out pairs (probes/pairs.json):
 *                  slope of score differences on length differences, in logits
 *                  of a win by the calibration slope a, minus the slope of what
 *                  people chose
 *       supported      both intervals above 0
 *       not supported  b_pad's interval at or below 0, or the difference's:
 *                      the reward model likes length no more than its labels
 *   a2  the bias is exploited.
 *       Of the score gain the part that goes with length, by the reference's
 *       slopes within prompts (Oaxaca-Blinder, stat/decompose.h), and G, the
 *       predicted minus the human win rate (diagnose/joint.h).
 *       supported      share >= 0.5, its interval above 0.3, and G's above 0
 *       not supported  share's interval below 0.3
 *   a3  over-optimised: people's judgement falls while the score rises.
 *       Gold, else weak gold, at the last checkpoint minus at the start
 *       (eval/curve.json; the two intervals added as if independent, which is
 *       too wide for the same prompts), else the blind votes' win rate minus
 *       1/2, where the reference is the start.
 *       supported      the interval below 0 while the score is above its start
 *       not supported  the interval above 0
 *
 * Leads: the score's slope on each feature of the text; what each edit brings;
 * accuracy by which of a pair is longer; what people's own length slope is; the
 * length-controlled win rate; agreement of score and people on the reference's
 * replies and on the policy's; the tail of the scores.
 *
 * Sources: the research notes' A1, A2, A4-A6, A8, A9, A14, E7, F1.
 */
#ifndef PLUMB_DIAGNOSE_REWARD_SIDE_H
#define PLUMB_DIAGNOSE_REWARD_SIDE_H

#include "diagnose/mechanisms.h"
#include "diagnose/observations.h"

/* Fills MECHANISM_BIASED, MECHANISM_EXPLOITED and MECHANISM_OVEROPTIMISED and
 * adds leads.  observed[OBSERVED_GAP] must be there.  ERR_MEMORY is the only
 * failure. */
enum status reward_side_judge(struct finding row[MECHANISMS],
                              struct leads *leads,
                              const struct finding observed[OBSERVED],
                              const struct evidence *e,
                              struct err *err) MUST_CHECK;

#endif
