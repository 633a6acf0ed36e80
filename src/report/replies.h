/*
 * replies.h - the policy's and the reference's replies side by side, each
 * token of the policy's shaded by how far the two models were apart there.
 */
#ifndef PLUMB_REPORT_REPLIES_H
#define PLUMB_REPORT_REPLIES_H

#include "report/html.h"
#include "report/inputs.h"

enum {
    REPLIES_SHOWN = 6
};

/*
 * Which pairs are shown.  Sample 0 of the policy and sample 0 of the reference
 * of one prompt are a pair; pairs are put in the order of their reward gain,
 * and the middle one of each sixth is taken, so the six run from the smallest
 * gain to the largest and nobody chose them.  Fewer than six pairs: all.
 *   policy, reference  out [REPLIES_SHOWN]  rows of samples.jsonl
 * Returns how many through `n`.
 */
enum status replies_choose(size_t *policy, size_t *reference, size_t *n,
                           const struct inputs *in, struct err *err) MUST_CHECK;

/* Shade of a token: 0 below 0.02 nats, then 0.1, 0.3, 1, 3, and 5 above. */
int replies_shade(double kl);

/* The section; says so when there are no samples. */
enum status replies_write(struct html *h, const struct inputs *in,
                          struct err *err) MUST_CHECK;

#endif
