/*
 * replies.h - demonstrations: replies of mixed quality to learn from.
 *
 *     greeting?  pre fillers  RESOLUTION  NEXT?  post fillers  repeat?
 *     closing?
 *
 *     greeting, one of 3                                        0.60
 *     pre fillers 0 / 1                                         0.80 0.20
 *     resolution: the sibling / any of 16 / the right one       0.22 0.03 0.75
 *     a letter or digit of the order number is another one      0.10
 *     next step given                                           0.50
 *       and then of any of 16 resolutions, not the stated one's 0.06
 *     post fillers 0 / 1 / 2                                    0.55 0.30 0.15
 *     last filler repeated, when there is one                   0.05
 *     closing, one of 3                                         0.50
 *
 * Fillers are drawn without replacement.  The next step belongs to the
 * resolution stated, so a wrong resolution brings its wrong next step.  A
 * wrong order number stands in the whole reply; its letter or its digit (a
 * fair coin) differs from the ticket's.  A sentence that names the product is
 * chosen only when the ticket's text names it, unless the resolution has no
 * other sentence.
 */
#ifndef PLUMB_WORLD_REPLIES_H
#define PLUMB_WORLD_REPLIES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/rng.h"
#include "world/tickets.h"

enum {
    REPLY_FILLERS_MAX = 3
};

/* A reply before it is put into words. */
struct reply {
    int greeting;                     // into tables_greeting, -1 none
    size_t n_pre, n_post;             // fillers before and after
    size_t filler[REPLY_FILLERS_MAX]; // into tables_filler: pre, then post
    enum resolution stated;
    size_t sentence; // which of its sentences
    bool has_next;
    enum resolution next; // whose next step
    size_t next_sentence;
    bool is_repeat;     // the last filler once more
    int closing;        // into tables_closing, -1 none
    char letter, digit; // order number as stated
};

/* Draw a reply to a ticket. */
void reply_plan(struct reply *out, const struct ticket *t, struct rng *r);

/* Its text, appended.  Failure is recorded in `out`. */
void reply_text(struct buf *out, const struct reply *reply,
                const struct ticket *t);

/* Both in one call: a demonstration's text, appended. */
void reply_draw(struct buf *out, const struct ticket *t, struct rng *r);

#endif
