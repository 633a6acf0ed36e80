/*
 * update_leads.h - what one update is made of: the gradient's parts from the
 * reward, the KL penalty and the value baseline (probes/gradient.json, made by
 * eval/probe_gradient.c), read as leads.
 *
 *     update_eos   the reward's part lowers the probability of stopping: the
 *                  first-order change of log P(EOS) that a plain gradient
 *                  step along it would make (rlhf/ppo_split.h), averaged over
 *                  iterations.  Adam's steps are of another length: the sign
 *                  is what counts, and one part beside another
 *     update_kl    the penalty's part is small: its norm over the reward
 *                  part's, below UPDATE_SMALL
 *
 * One batch alone is noisy, so the unit is the iteration here, and the n of
 * these rows counts those.  They are a dozen or so: Student's intervals
 * (stat/blocks.h), wider than the percentile ones that the probe's file has.
 */
#ifndef PLUMB_DIAGNOSE_UPDATE_LEADS_H
#define PLUMB_DIAGNOSE_UPDATE_LEADS_H

#include "diagnose/evidence.h"
#include "diagnose/leads.h"

/* As for the share of the push that the penalty takes off (kl_side.h, c1). */
#define UPDATE_SMALL 0.25

/* Nothing is added when the probe is absent. */
enum status update_leads(struct leads *leads, const struct evidence *e,
                         struct err *err) MUST_CHECK;

#endif
