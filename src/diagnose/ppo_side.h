/*
 * ppo_side.h - the optimiser's part of the explanation: b1, b2, b3.
 *
 *   b1  the advantage-weighted gradient pushes towards length.
 *       At each checkpoint, within prompts (diagnose/push.h):
 *           C_r = Cov(tokens, score)   C_k = beta Cov(tokens, K1)
 *           net = C_r - C_k
 *       supported      net's interval lies above 0 at two thirds or more of
 *                      the checkpoints until the length's rise is over
 *                      (push_rise_end()), and its sign foretells that of the
 *                      next change of mean length in 7 of 10
 *       not supported  net over all checkpoints has its interval at or below 0
 *       The row's estimate is net over the rise, in tokens times score.
 *   b2  the clip bounds the step, not the drift.  Until the KL's rise is over,
 *           I = sqrt(KL to the reference) / sum of sqrt(KL of each step)
 *       is 1 when every step goes the same way (Fisher distances add up) and
 *       about 1 / sqrt(steps) for a random walk.
 *       Its interval adds two, as independent ones, on the scale of logarithms:
 *       of the KL over the prompts of the last of these iterations' responses,
 *       and of the mean sqrt(step KL) over iterations, in blocks
 *       (stat/blocks.h).  The share of gradients that the clip stops is over
 *       iterations, in blocks, too.
 *       supported      I's interval above 0.5 or above twice the random walk's,
 *                      the share's interval below PPO_SIDE_CLIPPED
 *       not supported  I's interval below both, or the share's above
 *   b3  going on receives credit, stopping does not.
 *       Hazard ratio: sum of the policy's probability of EOS over that of the
 *       reference's, at sentence ends of the same given prefixes
 *       (probes/prefixes.json), else at the states the policy itself visited.
 *       supported      ratio's interval below 1, estimate below 0.9, and where
 *                      it can be told, the whitened advantage of EOS tokens is
 *                      not above that of others at the same place
 *       not supported  ratio's interval above 0.9
 *
 * Leads: the push on other features; what the clip does by the sign of the
 * advantage; the value model's explained variance and the slope of its error on
 * length; the length push that each way of adding up a loss implies; entropy.
 *
 * Sources: the research notes' B1-B5, B9-B11, F1.
 */
#ifndef PLUMB_DIAGNOSE_PPO_SIDE_H
#define PLUMB_DIAGNOSE_PPO_SIDE_H

#include "diagnose/evidence.h"
#include "diagnose/mechanisms.h"

#define PPO_SIDE_CLIPPED 0.05

/* Fills MECHANISM_PUSHES, MECHANISM_CLIP and MECHANISM_CREDIT and adds leads.
 * ERR_MEMORY is the only failure. */
enum status ppo_side_judge(struct finding row[MECHANISMS], struct leads *leads,
                           const struct evidence *e,
                           struct err *err) MUST_CHECK;

#endif
