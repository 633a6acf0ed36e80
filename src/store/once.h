/*
 * once.h - rows of RECORDS_SPOTCHECK from several databases, each vote once.
 *
 * A copy of a database lies beside it, older or newer: the same assignments,
 * with what was voted until then.  Copies of a row are of one pool, pair,
 * visit, prompt and judge's name, show the same two texts in the same order,
 * and were handed out at one time ("leased_at").  Of copies the one with the
 * latest "voted_at" counts, the first of several that are equal.  What agrees
 * but in order or time is somebody else's vote of the same name, and counts by
 * itself.
 *
 * Two passes over the same rows:
 *
 *     struct once o = {.changed = 0};
 *     TRY(once_note(&o, row, err));        // each
 *     TRY(once_take(&is, &o, row, err));   // each: does it count?
 *     once_free(&o);
 *
 * A row that is changed between the passes is later than was noted, and counts.
 */
#ifndef PLUMB_STORE_ONCE_H
#define PLUMB_STORE_ONCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/names.h"

struct once_copy; // what is known of the copies of a row

struct once {
    struct names whole, vote; // rows but for what was said; and but for order
    struct once_copy *copy;   // [whole.n]
    size_t room;
    size_t again;     // copies of rows that were there before
    size_t changed;   // those of them that differ
    size_t namesakes; // rows of a name and pair that was there, and no copies
};

/* Judges without a name cannot be told apart: their rows all count. */
enum status once_note(struct once *o, const struct json *row,
                      struct err *err) MUST_CHECK;
enum status once_take(bool *is, struct once *o, const struct json *row,
                      struct err *err) MUST_CHECK;
/* Fine on a zeroed struct. */
void once_free(struct once *o);

#endif
