/*
 * rate.h - how often somebody may ask: token buckets in a table of fixed size.
 *
 * Each key has a bucket of `burst` tokens that fills at `per_s` tokens a
 * second; a request takes one, and is refused when there is none.
 *
 * The table never grows.  A key is hashed under a secret of its own to a set
 * of RATE_WAYS places; when all are taken, the fullest bucket, which is the
 * one that is missed least, makes room.  Who sends from many addresses can so
 * push others' buckets out, which gives those tokens and never takes any.
 *
 * One thread at a time; time is the caller's, in monotonic milliseconds.
 */
#ifndef PLUMB_SERVE_RATE_H
#define PLUMB_SERVE_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RATE_WAYS 8

struct rate; // opaque: the table

/* `sets` of RATE_WAYS places each, a power of two; per_s > 0, burst >= 1. */
enum status rate_create(struct rate **out, size_t sets, double per_s,
                        double burst, struct err *err) MUST_CHECK;
void rate_destroy(struct rate *r); // fine on NULL

/* Take a token of a key's; false: none was there, and *wait_ms, unless NULL,
 * is how long until there will be. */
bool rate_take(struct rate *r, const void *key, size_t len, int64_t now,
               int64_t *wait_ms);

#endif
