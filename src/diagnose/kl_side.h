/*
 * kl_side.h - the penalty's part of the explanation: c1, c2, c3.
 *
 *   c1  the penalty charges the drift only weakly.
 *       Within prompts, until the length's rise is over (diagnose/push.h), the
 *       share of the score's push on length that the penalty takes back:
 *           C_k / C_r = beta Cov(tokens, K1) / Cov(tokens, score)
 *       and where the score does not push length, the share of the whole gain
 *       that is paid for it,  beta KL / (score gain).
 *       Lambda = b_ref m_ref / beta, the reward model's slope per token among
 *       the reference's replies to one prompt times their mean length over
 *       beta: above 1 the length term of a KL penalty has no finite optimum.
 *       supported      the share's interval below 0.25, or Lambda's above 1
 *       not supported  the share's interval above 0.75
 *   c2  the price is too low: drifting is still profitable.
 *       m = score gain / KL over prompts, the mean price on the way from the
 *       reference.  At the optimum of a KL-regularised reward it is the
 *       marginal price that is beta, and of a Gaussian score the mean one is
 *       then 2 beta; so m above beta alone does not say that the optimum is
 *       still ahead, and the KL has to lie below it as well.
 *       supported      m's interval above beta, and KL below what a Gaussian
 *                      score would lead to, sd_w^2 / (2 beta^2)
 *       not supported  m's interval below beta
 *   c3  the penalty fails to prevent the drift: S3, S3p, and c1 or c2.
 *
 * Leads: where the charge falls (classes of tokens, places, EOS), how it is
 * concentrated, how much of the rise is length, what length alone costs, the
 * path of beta, estimators beside the exact KL.
 *
 * Sources: the research notes' C1, C6, C7, C10, C11, F1, H2-H4.
 */
#ifndef PLUMB_DIAGNOSE_KL_SIDE_H
#define PLUMB_DIAGNOSE_KL_SIDE_H

#include "diagnose/mechanisms.h"
#include "diagnose/observations.h"

/* Nats a reply beyond which the optimum of a Gaussian score is no prediction of
 * a run, and is told in words. */
#define KL_SIDE_FURTHEST 100.0

/* Fills MECHANISM_WEAK, MECHANISM_CHEAP and MECHANISM_FAILS and adds leads.
 * ERR_MEMORY is the only failure. */
enum status kl_side_judge(struct finding row[MECHANISMS], struct leads *leads,
                          const struct finding observed[OBSERVED],
                          const struct evidence *e, struct err *err) MUST_CHECK;

/* The reward model's slope per token among the reference's replies to one
 * prompt, and their mean length. */
enum status kl_side_length_slope(struct estimate *slope, double *mean_length,
                                 const struct evidence *e,
                                 struct err *err) MUST_CHECK;

#endif
