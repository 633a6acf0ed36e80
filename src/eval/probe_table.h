/*
 * probe_table.h - the probes, for the table alone.
 */
#ifndef PLUMB_EVAL_PROBE_TABLE_H
#define PLUMB_EVAL_PROBE_TABLE_H

#include "eval/probe.h"

/* probe_edits.c: what the reward model says of changes without content. */
enum status probe_edits_inputs(struct buf *out, const struct probe *p,
                               struct err *err) MUST_CHECK;
enum status probe_edits(struct json_writer *w, const struct probe *p,
                        struct err *err) MUST_CHECK;

/* probe_prefixes.c: what both models expect at the same states. */
enum status probe_prefixes_inputs(struct buf *out, const struct probe *p,
                                  struct err *err) MUST_CHECK;
enum status probe_prefixes(struct json_writer *w, const struct probe *p,
                           struct err *err) MUST_CHECK;

/* probe_reference.c: is the reference over-fitted? */
enum status probe_reference_inputs(struct buf *out, const struct probe *p,
                                   struct err *err) MUST_CHECK;
enum status probe_reference(struct json_writer *w, const struct probe *p,
                            struct err *err) MUST_CHECK;

/* probe_push.c: replies of every checkpoint to the same prompts. */
enum status probe_push_inputs(struct buf *out, const struct probe *p,
                              struct err *err) MUST_CHECK;
enum status probe_push(struct json_writer *w, const struct probe *p,
                       struct err *err) MUST_CHECK;

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

/* probe_relaxation.c: whether the KL penalty pulls. */
enum status probe_relaxation_inputs(struct buf *out, const struct probe *p,
                                    struct err *err) MUST_CHECK;
enum status probe_relaxation(struct json_writer *w, const struct probe *p,
                             struct err *err) MUST_CHECK;

#endif
