/*
 * joint.h - the statistic that joins what the reward model says to what people
 * say: G, predicted minus human win rate on the same pairs.
 *
 *     G = mean over pairs of sigma(a (r_policy - r_reference)) - mean of h
 *
 * with a the reward model's calibration slope on held-out rankings
 * (stat/calibrate.h).  0: the uplift can be believed.  Above 0: the reward
 * model promises more wins than people grant, on what the policy writes now.
 * By thirds of the difference in length it says what is overrated.
 *
 *     supported      interval above 0, estimate at least 0.05
 *     not supported  interval below 0.05
 *
 * Source: the research notes' A14.
 */
#ifndef PLUMB_DIAGNOSE_JOINT_H
#define PLUMB_DIAGNOSE_JOINT_H

#include "diagnose/evidence.h"
#include "diagnose/finding.h"

/* Without held-out rankings the slope is taken as 1, and the row says so.
 * ERR_MEMORY is the only failure. */
enum status joint_judge(struct finding *out, const struct evidence *e,
                        struct err *err) MUST_CHECK;

#endif
