/*
 * samples.h - from rows of samples.jsonl to measures with intervals.
 *
 * Samples of one prompt are averaged first; the prompt is the unit.  Every
 * measure of one evaluation uses the same resamples (stat/summary.h).
 */
#ifndef PLUMB_EVAL_SAMPLES_H
#define PLUMB_EVAL_SAMPLES_H

#include "stat/measures.h"

/*
 * Read rows of both models and append to `out`:
 *     rm_delta gold_delta help_delta      policy minus reference
 *     rm_win_rate gold_win_rate           sample k against sample k, ties 1/2
 *     length_ratio                        mean length over mean length
 *     repetition_delta fourgram_delta filler_delta eos_delta
 *     rm_policy rm_reference, and so for gold, length, repetition, fillers,
 *     eos_rate                            the means themselves
 *     kl_sequence_final kl_per_token      exact, policy to reference
 * and of the weak gold, to `weak_gold`:
 *     delta win_rate policy reference     as above
 *     correlation                         of the reward model's change with
 *                                         its own, over prompts
 *     correlation_policy correlation_reference    of prompt means
 * ERR_FORMAT naming the record.
 */
enum status samples_measure(struct measures *out, struct measures *weak_gold,
                            const char *path, const struct bootstrap *plan,
                            struct err *err) MUST_CHECK;

#endif
