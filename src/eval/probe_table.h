/*
 * probe_table.h - the probes, for the table alone.
 */
#ifndef PLUMB_EVAL_PROBE_TABLE_H
#define PLUMB_EVAL_PROBE_TABLE_H

#include "eval/probe.h"

/* probe_pairs.c: what the reward model says of the replies that were ranked. */
enum status probe_pairs_inputs(struct buf *out, const struct probe *p,
                               struct err *err) MUST_CHECK;
enum status probe_pairs(struct json_writer *w, const struct probe *p,
                        struct err *err) MUST_CHECK;

/* probe_gradient.c: what the reward, the penalty, the baseline and the entropy
 * bonus each wanted of the policy, in iterations of the run. */
enum status probe_gradient_inputs(struct buf *out, const struct probe *p,
                                  struct err *err) MUST_CHECK;
enum status probe_gradient(struct json_writer *w, const struct probe *p,
                           struct err *err) MUST_CHECK;

#endif
