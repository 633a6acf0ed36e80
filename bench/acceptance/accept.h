/*
 * accept.h - what the acceptance programs share: verdicts in one form, and
 * the held-out replies of an evaluation.
 */
#ifndef PLUMB_BENCH_ACCEPT_H
#define PLUMB_BENCH_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Ends the program with the message when status is not OK. */
void accept_must(enum status status, const struct err *err);

/* DIR/NAME/FILE; the result is static. */
const char *accept_path(const char *dir, const char *name, const char *file);

/* One line, "G9  PASS  ..." or "G9  MISS  ...": the figure and what was asked
 * of it.  A miss is a result, not a failure: the exit status stays 0. */
void accept_say(const char *id, bool holds, const char *fmt, ...)
    ERR_PRINTF(3, 4);

enum {
    ACCEPT_REPLIES_MAX = 8192,
    ACCEPT_PROMPTS = 256
};

/* eval/samples.jsonl: prompts numbered in the order of the file, which is the
 * same in every evaluation of the same seed. */
struct accept_replies {
    size_t n, n_prompts;
    size_t prompt[ACCEPT_REPLIES_MAX], sample[ACCEPT_REPLIES_MAX];
    bool is_policy[ACCEPT_REPLIES_MAX];
    double score[ACCEPT_REPLIES_MAX]; // deviations of the reference's scores
    double gold[ACCEPT_REPLIES_MAX], tokens[ACCEPT_REPLIES_MAX];
    double kl[ACCEPT_REPLIES_MAX]; // exact, nats; NaN: the reference's
};
void accept_read(struct accept_replies *out, const char *path);

/* One value a prompt: the mean of x over one model's replies. */
void accept_means(double out[ACCEPT_PROMPTS], const struct accept_replies *r,
                  const double *x, bool is_policy);

#endif
