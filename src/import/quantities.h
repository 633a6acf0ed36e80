/*
 * quantities.h - what other trainers' names mean: one table for metrics, one
 * for settings, one for what known versions get wrong.
 *
 * A metric is given our name only where it is the same quantity; a KL curve
 * keeps its own unless ours has its estimator and its aggregate too, for the
 * same word means five things: nats a sequence or a token, to the reference,
 * between updates or between engines.
 */
#ifndef PLUMB_IMPORT_QUANTITIES_H
#define PLUMB_IMPORT_QUANTITIES_H

#include "import/notes.h"

struct quantity {
    const char *trainer; // "trl"
    const char *from;    // the trainer's name
    const char *to;      // ours, or NULL: it keeps its name
    const char *unit, *note;
    /* A KL curve: as struct notes_kl; kind NULL where it is none. */
    const char *kind, *estimator, *aggregate, *where, *sign;
};

/* What a trainer means by a name; trainer "" looks through all of them for a
 * name that means one thing only.  NULL: not known. */
const struct quantity *quantities_find(const char *trainer, const char *name);

/* A name without what the trackers of that trainer put in front of it. */
const char *quantities_bare(const char *trainer, const char *name);

/* The trainer that has the most of the names, at least two of them and not only
 * such as anybody uses ("reward"), and more than any other; "" where there is
 * none. */
const char *quantities_guess(const struct names *names);

/* Note the KL curve that a quantity is, under the name it has with us. */
enum status quantities_note_kl(struct notes *n, const struct quantity *q,
                               const char *name, struct err *err) MUST_CHECK;

/* Our key for a trainer's setting where they mean the same, or NULL; `all` are
 * the settings beside it, NULL where it stands alone. */
struct flat;
const char *quantities_setting(const char *trainer, const char *key,
                               const struct flat *all);

/* The values of a metric: how many there are, how many of them were not finite
 * and how many below 0, and the lowest and the highest finite one. */
struct quantity_range {
    size_t n, not_finite, negative;
    double low, high;
};

/* Warn where they show what known versions get wrong. */
enum status quantities_judge(struct notes *n, const char *trainer,
                             const char *name, const struct quantity_range *x,
                             struct err *err) MUST_CHECK;

#endif
