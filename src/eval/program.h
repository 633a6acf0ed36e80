/*
 * program.h - replies of a program (rlhf/policy_command.h) to the held-out
 * prompts, as texts and as the reference's tokens.
 *
 * A program's tokens are its own.  What is measured of a reply (its length,
 * the pieces it is shown in, what a reward model with the reference's
 * tokenizer reads) is measured of the tokens that the reference's tokenizer
 * makes of its text; it has no log-probabilities here, and no KL.
 */
#ifndef PLUMB_EVAL_PROGRAM_H
#define PLUMB_EVAL_PROGRAM_H

#include "eval/draw.h"

/*
 * `samples` replies to every prompt, by requests whose seeds come from the
 * streams that a model's replies would (eval/heldout.h).  text[i], whose memory
 * is the caller's (mem_free()), and out->seq[i] are reply i; nothing is scored
 * yet.
 *
 * ERR_FORMAT names the prompt: a reply of no tokens, or with what the
 * reference's vocabulary cannot write; ERR_LIMIT: it does not fit the
 * reference's positions; and as outside_ask() fails.
 */
enum status program_say(struct rollout *out, char ***text,
                        const struct setup *s, size_t samples,
                        const struct sampling *how, enum draw_part part,
                        struct err *err) MUST_CHECK;

#endif
