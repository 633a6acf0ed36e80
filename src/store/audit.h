/*
 * audit.h - a log whose every event seals all before it.
 *
 * Event i has
 *
 *     hash[i] = BLAKE2b-256(hash[i-1] || bytes of event i),  hash[0] = 0...0
 *
 * where the bytes are this JSON text, to the letter, with null for what is
 * not there and hashes in lower-case hex:
 *
 *     {"id":7,"at":1700000000000,"event":"vote","actor":3,"subject":12,
 *      "detail":"","digest":"9f..."}
 *
 * and `digest` is the BLAKE2b-256 of the canonical bytes of the row that the
 * event is about (items_digest(), assign_digest(), ...).  So who changes a
 * vote, an item's text or an order after the fact must change every hash from
 * there on, and whoever noted a later one (audit_head(), shown with every
 * export) sees it.  Cutting events off the end is seen by that alone.
 *
 * An order is sealed by its commitment, which tells nothing; see order.h.
 */
#ifndef PLUMB_STORE_AUDIT_H
#define PLUMB_STORE_AUDIT_H

#include "base/buf.h"
#include "store/db.h"

#define AUDIT_HASH 32 // bytes of a hash or digest

struct audit_event {
    /* project, judge, revoke, session, pool, close, item, retire, lease,
     * vote, remark, export, unblind */
    const char *event;
    int64_t actor;               // 0: the command line
    int64_t subject;             // the row's id, 0: none
    const char *detail;          // NULL: none; never what is blind
    const unsigned char *digest; // [AUDIT_HASH], or NULL
    int64_t at;
};

/* Append an event; part of the transaction that does what it tells of. */
enum status audit_append(struct db *db, const struct audit_event *e,
                         struct err *err) MUST_CHECK;

/* The last event's id and hash; 0 and zeros when there is none. */
enum status audit_head(int64_t *id, unsigned char hash[AUDIT_HASH],
                       struct db *db, struct err *err) MUST_CHECK;

/* The digest of a row's canonical bytes; the failure that `bytes` holds. */
enum status audit_digest(unsigned char out[AUDIT_HASH], const struct buf *bytes,
                         struct err *err) MUST_CHECK;

/* Lower-case hex of n bytes into out[2n + 1], and back; false when `text` is
 * not exactly that. */
void audit_hex(char *out, const unsigned char *data, size_t n);
bool audit_unhex(unsigned char *out, size_t n, const char *text);

/* What was verified. */
struct audit_report {
    int64_t events, items, orders, votes, remarks;
    char head[2 * AUDIT_HASH + 1];
};

/*
 * Verify everything: the chain without a gap; every row that events seal
 * against its digest, and that none is there without its event; every blind
 * order against its commitment, and drawn again from its secret (of repeats,
 * from the order of the first visit); every chain of votes; the counts that
 * triggers keep.  On one moment of the database, memory for one item.
 *
 * ERR_MISMATCH names the first event or row that does not hold.
 */
enum status audit_verify(struct audit_report *out, struct db *db,
                         struct err *err) MUST_CHECK;

/* Called with each event, oldest first; its texts last for the call. */
typedef enum status (*audit_fn)(void *ctx, int64_t id,
                                const struct audit_event *e,
                                const unsigned char hash[AUDIT_HASH],
                                struct err *err);
enum status audit_walk(struct db *db, audit_fn fn, void *ctx,
                       struct err *err) MUST_CHECK;

#endif
