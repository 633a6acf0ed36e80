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

/* Note the KL curve that a quantity is, under the name it has with us. */
enum status quantities_note_kl(struct notes *n, const struct quantity *q,
                               const char *name, struct err *err) MUST_CHECK;

/* Our key for a trainer's setting where they mean the same, or NULL. */
const char *quantities_setting(const char *trainer, const char *key);

/* Warn where the values of a metric show what known versions get wrong: its
 * lowest and highest finite value, and how many were not finite. */
enum status quantities_judge(struct notes *n, const char *trainer,
                             const char *name, double low, double high,
                             size_t not_finite, struct err *err) MUST_CHECK;

#endif
