/*
 * items.h - what is judged: pools of prompts with candidates.
 *
 * A pool asks one task of its items, of `overlap` judges each.  An item is
 * kept as it was added: its text never changes, and a mistake is retired.
 *
 * Control items stand among the others, told apart by nothing that a judge
 * sees:
 *
 *     placebo    a spot-check of two of the reference's replies, one in the
 *                policy's place (source "placebo")
 *     repeat     another item of the pool again, to a judge who voted on it at
 *                least `gap` assignments ago, with the sides swapped
 *     identical  the candidates are one text
 *     gold       the answer is known: expected is {"better":PLACE} of a pair
 *                or {"ranking":[RANK, ...]}, in the order of the candidates
 */
#ifndef PLUMB_STORE_ITEMS_H
#define PLUMB_STORE_ITEMS_H

#include "base/arena.h"
#include "base/json.h"
#include "store/choice.h"
#include "store/order.h"
#include "store/project.h"

/* What stands behind an item's name in that of the identical pair made of its
 * replies. */
#define ITEM_IDENTICAL_END "~3"

struct pool {
    int64_t id;
    const char *name;
    enum pool_task task;
    int64_t overlap;     // judges that each item wants, 1 to 1000
    int64_t lease;       // ms that an item stays in a judge's hands
    double random_share; // of choices from the random arm first, 0 to 1
    const char *guide;   // what judges are told, plain text; "" for none
    int64_t closed;      // when, or 0
};

/* Who wrote what, never shown before the vote.  -1, NaN and NULL stand for
 * "not known". */
struct candidate {
    const char *text;
    const char *source; // "policy", "reference", "placebo", a model's name
    const char *run;    // the run it came from
    int64_t step, sample, tokens;
    double score;       // the reward model's
    const char *finish; // "eos", "length"
    const char *extra;  // a JSON object: temperature, KL, ...
};

struct item {
    int64_t id, pool; // given by the store
    const char *name; // unique in the pool
    enum item_kind kind;
    const char *repeat_of; // of a repeat: that item's name
    int64_t gap;           // of a repeat: assignments between, at least 1
    const char *expected;  // of gold
    enum item_arm arm;
    double priority;       // adaptive arm: higher first
    const char *prompt_id; // of a repeat: NULL, like the rest below
    const char *prompt;
    const char *messages; // a dialogue as [{"role","content"}], or NULL
    const char *extra;    // members passed on (tags, ticket), or NULL
    const struct candidate *candidate; // [n], 2 to ORDER_MAX
    size_t n;
};

/* A new pool; `p->id` and `p->closed` are not looked at.  ERR_MISMATCH when
 * the name is taken. */
enum status items_add_pool(int64_t *id, struct db *db, const struct pool *p,
                           int64_t actor, int64_t now,
                           struct err *err) MUST_CHECK;

/* Hand out no more of its items; votes on what is out are still taken. */
enum status items_close_pool(struct db *db, int64_t pool, int64_t actor,
                             int64_t now, struct err *err) MUST_CHECK;

/* By id, by name; texts last as long as the arena.  ERR_MISSING. */
enum status items_read_pool(struct pool *out, struct arena *a, struct db *db,
                            int64_t id, struct err *err) MUST_CHECK;
enum status items_find_pool(struct pool *out, struct arena *a, struct db *db,
                            const char *name, struct err *err) MUST_CHECK;

/* The id of a pool by its name; of NULL, 0, which stands for all of them. */
enum status items_find_pool_id(int64_t *id, struct db *db, const char *name,
                               struct err *err) MUST_CHECK;

/* Ids of all pools, in the order they were added. */
typedef enum status (*items_fn)(void *ctx, int64_t id, struct err *err);
enum status items_walk_pools(struct db *db, items_fn fn, void *ctx,
                             struct err *err) MUST_CHECK;

/*
 * Add an item to pool `x->pool`.  An item of that name and the same content
 * is left alone and *is_new false, so that loading a file twice is fine; with
 * other content, ERR_MISMATCH.  Checked, ERR_ARG: a spot-check has two
 * candidates, of policy and reference (normal) or placebo and reference
 * (placebo); what kind promises.
 *
 * A member of the random arm gets its priority from the stream (seed,
 * RNG_QUEUE, pool, item).
 */
enum status items_add(int64_t *id, bool *is_new, struct db *db,
                      const struct item *x, int64_t actor, int64_t now,
                      struct err *err) MUST_CHECK;

/* An item with its candidates, those of a repeat being the other item's; all
 * of it lasts as long as the arena. */
enum status items_read(struct item *out, struct arena *a, struct db *db,
                       int64_t id, struct err *err) MUST_CHECK;

/* The id of an item.  ERR_MISSING. */
enum status items_find(int64_t *id, struct db *db, int64_t pool,
                       const char *name, struct err *err) MUST_CHECK;

/* Does any item show this reply to this prompt?  Whoever had that item is given
 * no other one with it (store/assign.h). */
enum status items_show(bool *out, struct db *db, const char *prompt,
                       const char *reply, struct err *err) MUST_CHECK;

/* Ids of a pool's items, in the order they were added. */
enum status items_walk(struct db *db, int64_t pool, items_fn fn, void *ctx,
                       struct err *err) MUST_CHECK;

/* Where an item stands: judges who have it or voted on it, and whether it is
 * handed out no more.  ERR_MISSING. */
struct item_state {
    int64_t taken;
    bool is_retired;
};
enum status items_state(struct item_state *out, struct db *db, int64_t id,
                        struct err *err) MUST_CHECK;

/* Another priority for an item of the adaptive arm, ERR_ARG for one of the
 * random arm: there it would be random no longer.  Not in the audit log: it
 * decides what is asked next, not what was said. */
enum status items_set_priority(struct db *db, int64_t id, double priority,
                               struct err *err) MUST_CHECK;

/* Hand an item out no more; votes on it stay. */
enum status items_retire(struct db *db, int64_t id, const char *why,
                         int64_t actor, int64_t now,
                         struct err *err) MUST_CHECK;

/* The members that stand for an item everywhere: "item", "kind", "arm",
 * "repeat_of", "gap", "expected", "prompt_id", "prompt", "messages", "extra",
 * "candidates"; absent ones are left out. */
void items_write(struct json_writer *w, const struct item *x);

/* Digests for the audit log. */
enum status items_digest(unsigned char out[32], struct db *db, int64_t id,
                         struct err *err) MUST_CHECK;
enum status items_digest_pool(unsigned char out[32], struct db *db, int64_t id,
                              struct err *err) MUST_CHECK;

#endif
