/*
 * best_of.h - of several replies to a prompt, the one that a reward model likes
 * best.
 *
 *     struct best_of b;
 *     TRY(best_of_open(&b, &speaker, "D/reward", NULL, 16, precision, context,
 *                      err));
 *     ... speaker_reply() draws keep * b.n replies to each prompt ...
 *     TRY(best_of_choose(reply, &b, prompts, context, err));
 *     best_of_close(&b);
 */
#ifndef PLUMB_RLHF_BEST_OF_H
#define PLUMB_RLHF_BEST_OF_H

#include "rlhf/reward_reader.h"
#include "rlhf/speaker.h"

struct best_of {
    struct reward_reader reader;
    size_t n; // replies of which one is kept
};

/* The model that run_find_model() finds, which may have another tokenizer, or
 * with `reward_model` NULL the program `command`. */
enum status best_of_open(struct best_of *out, const struct speaker *s,
                         const char *reward_model,
                         const struct outside_config *command, size_t n,
                         int precision, const struct context *context,
                         struct err *err) MUST_CHECK;
void best_of_close(struct best_of *b);

/*
 * reply holds b->n * keep replies to each of n prompts.  Each gets its score;
 * of every b->n in order the highest stays, the first of equals, and the
 * others are freed: reply[i * keep + k] are left.  `record` [n] are the
 * prompts, of which a reward model with another tokenizer reads the text, and
 * `ids` [n] their tokens, NULL where the speaker is a program.  On failure all
 * replies are still there.
 */
enum status best_of_choose(struct speaker_reply *reply, const struct best_of *b,
                           const struct record *record, const struct ids *ids,
                           size_t n, size_t keep, const struct context *context,
                           struct err *err) MUST_CHECK;

#endif
