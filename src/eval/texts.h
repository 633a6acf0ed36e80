/*
 * texts.h - held-out replies that are texts and no more, as an import leaves
 * them in eval/samples.jsonl, and a program that scores them: what stands for a
 * setup and its drawn replies where no model is there.
 */
#ifndef PLUMB_EVAL_TEXTS_H
#define PLUMB_EVAL_TEXTS_H

#include "eval/drawn.h"

struct texts {
    struct drawn_reply *reply; // [n] in the file's order; without tokens
    char **text;               // [n]
    double *score;             // [n] raw, as the program says
    size_t n, room;
    size_t unasked;   // rows without a prompt or a text: left out
    double agreement; // of the program's scores with the recorded ones:
                      // their correlation; NaN where there are none
    size_t n_prompts; // of the file
};

/*
 * Read the replies of `path` and ask the program about them.  Of the setup are
 * made: the prompts, as texts; the reward reader, which is the program; and the
 * unit of scores, that of an evaluation without another one: mean and deviation
 * of the reference's replies, of the policy's where there are none.  All else
 * of it stays as it is.
 * ERR_MISSING: no row has a prompt and a text; ERR_FORMAT: all scores are one;
 * else as jsonl_read() and reward_reader_ask().
 */
enum status texts_open(struct texts *out, struct setup *s, const char *path,
                       const struct outside_config *program,
                       const struct context *context,
                       struct err *err) MUST_CHECK;
/* Fine on a zeroed struct. */
void texts_close(struct texts *t);

/* What a program says of n texts, text[i] to prompt prompt[i]. */
enum status texts_score(double *score, const struct setup *s,
                        const size_t *prompt, const char *const *text,
                        const bool *is_eos, size_t n,
                        const struct context *context,
                        struct err *err) MUST_CHECK;

/* Length in words (stat/features.h). */
enum status texts_words(int64_t *out, const char *text,
                        struct err *err) MUST_CHECK;

#endif
