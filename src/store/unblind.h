/*
 * unblind.h - who judges a pool, and looks how it stands all the same.
 *
 * After every own vote the standing tells whose side it was for and whether
 * the item was a placebo, a repeat or gold, and a vote can be changed.  So it
 * is closed to whoever was given items of a pool, administrators as well, while
 * the pool is open.  Who must look does: the first time is an event of the
 * audit log, "unblind" of (judge, pool), and stands beside that judge's name in
 * the standing and in canonical and spot-check exports from then on; the
 * diagnosis says how many votes were cast since.
 */
#ifndef PLUMB_STORE_UNBLIND_H
#define PLUMB_STORE_UNBLIND_H

#include "store/db.h"

/* Was the judge given items of this pool, and is it open? */
enum status unblind_is_bound(bool *out, struct db *db, int64_t judge,
                             int64_t pool, struct err *err) MUST_CHECK;

/* When the judge looked, in ms; 0: never. */
enum status unblind_when(int64_t *at, struct db *db, int64_t judge,
                         int64_t pool, struct err *err) MUST_CHECK;

/* The judge looks.  Nothing is changed when it is known already. */
enum status unblind_note(struct db *db, int64_t judge, int64_t pool, int64_t at,
                         struct err *err) MUST_CHECK;

#endif
