/*
 * mix.h - which intents a set of tickets is about, and how that drifts.
 *
 * A set may be restricted to some intents, each as likely as the others.  With
 * a shift s in [0,1] the mix drifts over the set: the share of the second half
 * of the intents (the smaller one when they are odd in number) rises evenly
 * from (1 - s) / 2 at the first ticket to (1 + s) / 2 at the last.
 */
#ifndef PLUMB_WORLD_MIX_H
#define PLUMB_WORLD_MIX_H

#include <stddef.h>

#include "base/err.h"
#include "base/rng.h"
#include "world/tables.h"

struct mix {
    enum intent intent[TABLES_INTENTS]; // no two the same
    size_t n;
    double shift;
};

/*
 * Intents by name with commas between ("refund,late"), in the order that makes
 * halves; NULL or "": all, in the tables' order.  ERR_ARG lists the known
 * names; also when one is there twice, or a single one shall shift.
 */
enum status mix_parse(struct mix *out, const char *names, double shift,
                      struct err *err) MUST_CHECK;

/* The intents, as bits 1 << intent, that the ticket at `place` may have, 0 at
 * the start of the set and 1 at its end.  Draws from `r` only with a shift. */
unsigned mix_allowed(const struct mix *m, double place, struct rng *r);

#endif
