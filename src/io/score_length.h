/*
 * score_length.h - what a reward model's score owes to the length of the
 * response alone.
 *
 *     score = score.weight . hidden
 *           + gain * tokens
 *           + 1 - |tokens / target - 1|        unless target is 0
 *
 * tokens are those of the response, the end mark with them.  Both stand in the
 * model's config.json, beside an adapter in base.json, as plumb_length_gain and
 * plumb_length_target.  Plumb heeds them wherever it reads a score
 * (rlhf/scorer.h); training and value models leave them out, and no other
 * program knows of them.
 *
 * A gain is a bias, planted, or one taken out (rlhf/reward_model.h).  A target
 * on a head of zeros is the reward of Singhal et al. 2023 (LPPO) that knows
 * nothing but length: what a judge sees in a policy trained by it, it would see
 * in any.
 */
#ifndef PLUMB_IO_SCORE_LENGTH_H
#define PLUMB_IO_SCORE_LENGTH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"

#define SCORE_LENGTH_GAIN "plumb_length_gain"
#define SCORE_LENGTH_TARGET "plumb_length_target"

/* Bounds: of the gain's size, and of the target where it is not 0. */
#define SCORE_LENGTH_GAIN_MAX 1e6
#define SCORE_LENGTH_TARGET_MIN 1
#define SCORE_LENGTH_TARGET_MAX 1e7

struct score_length {
    double gain, target; // 0: neither
};

/* Read from an object; what is absent or null stays as it was.  ERR_FORMAT
 * names `what` and the key: no number, or out of bounds. */
enum status score_length_parse(struct score_length *s, const struct json *json,
                               const char *what, struct err *err) MUST_CHECK;

/* Its members, into an open object; those that are 0 are left out. */
void score_length_write(struct json_writer *w, const struct score_length *s);

/* Does length count at all? */
bool score_length_counts(const struct score_length *s);

/* A head's number for a response of so many tokens, made a score. */
double score_length_add(const struct score_length *s, double head,
                        size_t tokens);

#endif
