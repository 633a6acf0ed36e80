/*
 * ppo_leads.h - what else the training batches tell about the optimiser.
 *
 * Correlations here are over responses, both numbers less their iteration's
 * mean, with the prompt as the unit.
 *
 *     push_NAME   net push on a feature of the text (diagnose/push.h), in
 *                 deviations of the feature times score
 *     value       explained variance of returns, 1 - var(return - value) /
 *                 var(return) over tokens of the second half, below
 *                 PPO_LEADS_EXPLAINED; over iterations, in blocks
 *                 (stat/blocks.h), and so is the share of clip.  The
 *                 slope of return - value on length goes with it: a value model
 *                 that lags has a slope, but so has one that is good for all
 *                 else
 *     baseline    correlation of length with what responses were credited:
 *                 by their own advantages, and by score and penalty alone (what
 *                 a leave-one-out mean would leave); of different sign, the
 *                 value model makes the push
 *     aggregation correlation of length with the advantages summed over a
 *                 response (token-mean, token-sum, seq-mean-token-sum) and
 *                 averaged over it (seq-mean-token-mean); of different sign,
 *                 the way losses are added up makes the push
 *     clip        the share of tokens in each of the four cells; is it more
 *                 than a twentieth in the two whose gradient it stops?
 *     entropy     Theil-Sen slope of the entropy a token over iterations
 */
#ifndef PLUMB_DIAGNOSE_PPO_LEADS_H
#define PLUMB_DIAGNOSE_PPO_LEADS_H

#include "diagnose/mechanisms.h"
#include "diagnose/push.h"

/* Healthy runs of the support desk are at 0.64, sick ones at 0.2, a frozen
 * value model at 0. */
#define PPO_LEADS_EXPLAINED 0.1

enum status ppo_leads(struct leads *leads, const struct evidence *e,
                      const struct push *p, struct err *err) MUST_CHECK;

/* The share of tokens whose gradient the clip stops: an advantage above 0
 * beyond the range's upper end, or one below 0 beyond the lower. */
enum status ppo_leads_clip_stops(struct estimate *out, const struct evidence *e,
                                 struct err *err) MUST_CHECK;

/* Mean whitened advantage of EOS tokens less that of others at their place. */
enum status ppo_leads_eos_gap(struct estimate *out, const struct evidence *e,
                              struct err *err) MUST_CHECK;

#endif
