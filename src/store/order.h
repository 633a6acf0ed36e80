/*
 * order.h - which candidate is shown on which side: drawn, committed to,
 * revealed afterwards.
 *
 *     secret      PRF(order_key, judge, item), 32 bytes: BLAKE2b-256 keyed
 *                 with the project's key.  Unknown to all, and the same
 *                 whenever the item comes to this judge again
 *     places      a permutation of 0..K-1: Fisher-Yates over the stream
 *                 (first 8 bytes of the secret, RNG_SIDES); of a repeat, those
 *                 of the first visit in reverse
 *     commitment  HMAC-SHA-256(secret, "plumb.order/1" LF pool LF item LF
 *                 "[1,0]")
 *
 * The commitment goes to the browser and into the audit log before anybody
 * sees the item; it says nothing without the secret, of which the export of
 * an ended assignment alone knows.  Then everybody can recompute both lines.
 */
#ifndef PLUMB_STORE_ORDER_H
#define PLUMB_STORE_ORDER_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define ORDER_MAX 64   // candidates
#define ORDER_BYTES 32 // of a secret, of a commitment

struct order {
    int32_t place[ORDER_MAX]; // [s]: the candidate shown s-th from the left
    size_t K;
    unsigned char secret[ORDER_BYTES], commitment[ORDER_BYTES];
};

/* The secret of an item in a judge's hands. */
void order_secret(unsigned char out[ORDER_BYTES],
                  const unsigned char key[ORDER_BYTES], int64_t judge,
                  int64_t item);

/* Places from the secret; o->K candidates, 1 to ORDER_MAX. */
void order_draw(struct order *o);

/* Places of the other visit, in reverse. */
void order_swap(struct order *o, const struct order *first);

/* The commitment to places and secret.  ERR_MEMORY. */
enum status order_commit(struct order *o, const char *pool, const char *item,
                         struct err *err) MUST_CHECK;

/* Does the commitment hold, and (first not NULL: of that visit, reversed) are
 * the places those drawn?  ERR_MISMATCH says which is not so. */
enum status order_check(const struct order *o, const char *pool,
                        const char *item, const struct order *first,
                        struct err *err) MUST_CHECK;

/* "[1,0]" appended, and back: a permutation, or ERR_FORMAT. */
void order_write(struct buf *out, const struct order *o);
enum status order_read(struct order *o, const char *text,
                       struct err *err) MUST_CHECK;

#endif
