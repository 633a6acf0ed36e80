/*
 * assign.h - the next item for a judge, and what of it may be shown.
 *
 * An item wants `overlap` judges.  Each takes it on lease: it stays in the
 * judge's hands until a vote, a skip, or the lease's end, when others may have
 * it.  A vote that comes after the lease's end is still a vote, though perhaps
 * one more than was wanted: nobody loses work to a slow connection.
 *
 * Which one is next:
 *     1. what the judge holds already (so asking twice gives the same)
 *     2. what the judge held when a lease ran out and still is wanted
 *     3. of the arm that a coin from the stream (seed, RNG_ARM, judge, nth)
 *        says, random with the pool's random_share, then of the other one:
 *        items begun by others first, so that votes on one item come together;
 *        then by priority, which in the random arm is a uniform draw
 * An item is passed over for good when it shows a reply to a prompt that this
 * judge had in another item, of this pool or another, be it the policy's,
 * the reference's or gold: who meets one reply beside two others learns whose
 * it is.  Let through are a repeat; an identical pair and the item that it is
 * made of; and one ranking after another, where it gives nothing away.  So a
 * set of few different replies runs out before its items do, and
 * assign_count_met() tells how many were passed over.
 *
 * A repeat is passed over until this judge's vote on its item lies `gap`
 * assignments back.  So which items a judge gets is the same for the same seed
 * and the same course of calls.
 *
 * A server works with struct blind alone: it holds all that a browser needs
 * and nothing that tells which side is which, whatever is done with it.  It has
 * no item's id, since ids and names tell kinds apart.
 */
#ifndef PLUMB_STORE_ASSIGN_H
#define PLUMB_STORE_ASSIGN_H

#include "store/items.h"

#define ASSIGN_HELD_MAX 16 // items in one judge's hands at once

struct blind {
    int64_t assignment;
    int64_t pool_id;
    enum pool_task task;
    const char *pool, *guide;
    const char *prompt;
    const char *messages; // JSON, or NULL
    size_t K;
    const char *text[ORDER_MAX]; // [s]: what is shown s-th from the left
    char commitment[2 * ORDER_BYTES + 1]; // hex (order.h)
    int64_t expires;
    enum assign_state state;
    int64_t standing; // the last act's id, for votes.h; 0: none yet
};

/*
 * Up to `want` (1 to ASSIGN_HELD_MAX) items of a pool in the judge's hands,
 * taking new ones as there are: ids of assignments into out[want], oldest
 * first, and their number into *n; 0 when nothing is left for this judge.
 * Leases with less than half their time left are renewed.
 *
 * ERR_MISSING: no such pool; no such judge, revoked, or a viewer.
 */
enum status assign_next(int64_t *out, size_t *n, size_t want, struct db *db,
                        int64_t judge, int64_t pool, int64_t now,
                        struct err *err) MUST_CHECK;

/* How many items of a pool are wanted still and never come to this judge, who
 * has met a reply of theirs; 0 of a pool that is closed. */
enum status assign_count_met(int64_t *n, struct db *db, int64_t judge,
                             int64_t pool, struct err *err) MUST_CHECK;

/* What a judge may see of an own assignment; texts last as long as the arena.
 * ERR_MISSING when it is another's. */
enum status assign_blind(struct blind *out, struct arena *a, struct db *db,
                         int64_t judge, int64_t assignment,
                         struct err *err) MUST_CHECK;

/* All of an assignment: for the export, never for a judge. */
struct assignment {
    int64_t id, item, judge, nth;
    struct order order;
    int64_t leased, expires;
    enum assign_state state;
};
enum status assign_read(struct assignment *out, struct db *db, int64_t id,
                        struct err *err) MUST_CHECK;

/* The assignment of this item to this judge.  ERR_MISSING. */
enum status assign_find(struct assignment *out, struct db *db, int64_t item,
                        int64_t judge, struct err *err) MUST_CHECK;

/* Put one in as it was recorded elsewhere (records.h): the order is checked
 * against its commitment first. */
enum status assign_restore(int64_t *id, struct db *db,
                           const struct assignment *x,
                           struct err *err) MUST_CHECK;

/* Check the blind order of an assignment as order.h says. */
enum status assign_check_order(struct db *db, int64_t id,
                               struct err *err) MUST_CHECK;

/* Digest for the audit log: item, judge, nth, commitment, times; not the
 * order. */
enum status assign_digest(unsigned char out[32], struct db *db, int64_t id,
                          struct err *err) MUST_CHECK;

#endif
