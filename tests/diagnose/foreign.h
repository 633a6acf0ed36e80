/*
 * foreign.h - runs of other trainers, as an import writes them: a project with
 * import.json, and of the rest whatever the test wants there to be.
 */
#ifndef PLUMB_TESTS_DIAGNOSE_FOREIGN_H
#define PLUMB_TESTS_DIAGNOSE_FOREIGN_H

#include <stdbool.h>

#include "base/buf.h"
#include "diagnose/diagnose.h"

/* import.json of trainer "verl" with these members behind its head, such as
 * "\"kl\":[...],\"missing\":[...]"; NULL: none. */
void foreign_import(const char *dir, const char *members);

/* The list "missing" of an import that has nothing but metrics. */
extern const char foreign_missing[];

/* ppo/metrics.jsonl: n rows from step 0 in steps of `every`; column c of row i
 * is fn(c, i), left out where that is NaN. */
typedef double (*foreign_fn)(size_t column, size_t row);
void foreign_metrics(const char *dir, size_t n, size_t every,
                     const char *const *column, foreign_fn fn);

/* A text of n words, of which all behind the first 8 are one phrase over and
 * over when `is_repeating`, else each is another; `seed` tells texts apart. */
void foreign_text(struct buf *out, size_t n, bool is_repeating, unsigned seed);

/* A row of ppo/rollouts without tokens, appended: the text's words are counted
 * by whoever reads it.  `more` are members such as "\"finish\":\"eos\"". */
void foreign_row(struct buf *out, int step, int prompt, int sample,
                 double score, const char *text, const char *more);
void foreign_rollouts(const char *dir, int step, const struct buf *rows);

/* Standard normal, the same for the same state. */
double foreign_normal(unsigned long long *state);

/* What is read and concluded; fails the test when it cannot. */
void foreign_diagnose(struct evidence *e, struct diagnosis *d, const char *dir);
void foreign_free(struct evidence *e, struct diagnosis *d);

bool foreign_mentions(const char *text, const char *what);
bool foreign_is_number(double x);

/* A row by its id; fails the test when there is none. */
const struct finding *foreign_row_of(const struct diagnosis *d, const char *id);
enum verdict foreign_verdict_of(const struct diagnosis *d, const char *id);

#endif
