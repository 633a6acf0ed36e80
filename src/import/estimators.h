/*
 * estimators.h - which estimator a trainer's KL curve has, and whether the KL
 * acts in the reward or in the loss, where that is a setting of the trainer.
 *
 * The table of quantities.c says "unknown" for those; what is known comes from
 * the settings that were imported beside the log, with the trainer's default
 * for what they leave out, or from the values: of the estimators
 *
 *     k1 = d,  k2 = d^2 / 2,  k3 = exp(-d) - 1 + d,   d = log policy/reference
 *
 * only k1 can be below 0.
 */
#ifndef PLUMB_IMPORT_ESTIMATORS_H
#define PLUMB_IMPORT_ESTIMATORS_H

#include "import/notes.h"

/* The settings of an import: value[i] is that of the trainer's key i. */
struct estimators {
    struct names key;
    const char **value; // [key.n], of the arena
    size_t room;
    struct arena arena;
};

/* The first value of a key counts.  ERR_MEMORY. */
enum status estimators_add(struct estimators *s, bool *is_new, const char *key,
                           const char *value, struct err *err) MUST_CHECK;
const char *estimators_find(const struct estimators *s,
                            const char *key); // or NULL
void estimators_free(struct estimators *s);   // fine on a zeroed struct

/* Say of each curve of the notes what the settings say of it. */
void estimators_settle(struct notes *n, const char *trainer,
                       const struct estimators *s);

/* A curve whose lowest value is `low`. */
void estimators_judge(struct notes *n, const char *trainer, const char *name,
                      double low);

#endif
