/*
 * votes.h - what was said of an assignment: append-only, idempotent, undoable.
 *
 * An act is a vote, a skip or an undo.  The acts of an assignment form one
 * chain: each names the one it supersedes, 0 being none, and that must be the
 * last.  So two windows open on one item cannot both count, and the second is
 * told.  What stands is the last act; after an undo nothing does, and the item
 * is in the judge's hands again.
 *
 * `key` is the client's, new for every act.  An act that is sent again under
 * its key (the answer was lost) is the same act: it is found, not stored a
 * second time.  The same key with other content is ERR_MISMATCH.
 *
 * Everything is told from the screen: ranks[s], marks[s], A and B are of what
 * was shown s-th from the left.  votes_by_candidate() turns ranks into the
 * candidates' order; nothing before the export does.
 */
#ifndef PLUMB_STORE_VOTES_H
#define PLUMB_STORE_VOTES_H

#include "base/arena.h"
#include "base/json.h"
#include "store/choice.h"
#include "store/order.h"
#include "store/project.h"

#define VOTES_KEY_MAX 100 // bytes of a key, printable ASCII

/* What is said of one of two answers; -1 and 0 of the enums: not said. */
struct vote_marks {
    int64_t helpful, direct; // 0 to 4
    enum vote_correct correct;
    enum vote_length length;
};

struct vote {
    int64_t id; // given by the store
    int64_t assignment;
    int64_t supersedes; // the act before in the chain, 0: the first
    const char *key;
    enum vote_act act;
    /* Of a ranking: 1 + how many were ranked above, so 1 1 3 after a tie. */
    int32_t rank[ORDER_MAX];
    size_t K;         // 0: no ranking
    int64_t strength; // of a pair 1 (slightly) to 3 (much), 0: not said
    /* Of a spot-check. */
    enum vote_overall overall;
    struct vote_marks marks[2];
    const char *reason; // NULL: none
    enum vote_render render;
    int64_t shown; // when the item came on the screen
    int64_t voted; // when the act arrived, not before
};

/* A spot-check's marks with nothing said. */
struct vote_marks votes_no_marks(void);

/*
 * Store an act of a judge: its id into *id, and whether it was new.  What does
 * not fit the task is ERR_ARG; an assignment that is not the judge's, or a
 * judge who was revoked, ERR_MISSING; a chain that went on meanwhile,
 * ERR_MISMATCH.  `voted` does not tell acts apart that have one key.
 */
enum status votes_cast(int64_t *id, bool *is_new, struct db *db, int64_t judge,
                       const struct vote *v, struct err *err) MUST_CHECK;

/* An act by its id; texts last as long as the arena. */
enum status votes_read(struct vote *out, struct arena *a, struct db *db,
                       int64_t id, struct err *err) MUST_CHECK;

/* The act of an assignment that has a key, and the last act of its chain; 0
 * when there is none. */
enum status votes_find_key(int64_t *id, struct db *db, int64_t assignment,
                           const char *key, struct err *err) MUST_CHECK;
enum status votes_find_last(int64_t *id, struct db *db, int64_t assignment,
                            struct err *err) MUST_CHECK;

/* Ids of the acts of an assignment, the first one first. */
typedef enum status (*votes_fn)(void *ctx, int64_t id, struct err *err);
enum status votes_walk(struct db *db, int64_t assignment, votes_fn fn,
                       void *ctx, struct err *err) MUST_CHECK;

/* Ids of the judge's assignments with an act, the latest act first, `max` at
 * most: the list from which a vote is undone. */
enum status votes_walk_recent(struct db *db, int64_t judge, int64_t max,
                              votes_fn fn, void *ctx,
                              struct err *err) MUST_CHECK;

/* Ranks in the candidates' order: out[order->place[s]] = v->rank[s]. */
void votes_by_candidate(int32_t out[ORDER_MAX], const struct vote *v,
                        const struct order *order);

/* The members that stand for an act everywhere: "act", "key", "ranks",
 * "strength", "overall", "left_helpful", ..., "reason", "render", "shown_at",
 * "voted_at"; absent ones are left out. */
void votes_write(struct json_writer *w, const struct vote *v);

/* Digest for the audit log. */
enum status votes_digest(unsigned char out[32], struct db *db, int64_t id,
                         struct err *err) MUST_CHECK;

/* ---- remarks ------------------------------------------------------------ */

/* What a judge remarks on an own assignment, before or after the vote: a
 * comment, or a flag that something is wrong with the item.  Append-only and
 * idempotent as votes are. */
struct remark {
    int64_t id; // given by the store
    int64_t assignment;
    const char *key;
    enum remark_kind kind;
    const char *text;
    int64_t at;
};
enum status votes_remark(int64_t *id, bool *is_new, struct db *db,
                         int64_t judge, const struct remark *r,
                         struct err *err) MUST_CHECK;
enum status votes_read_remark(struct remark *out, struct arena *a,
                              struct db *db, int64_t id,
                              struct err *err) MUST_CHECK;
enum status votes_walk_remarks(struct db *db, int64_t assignment, votes_fn fn,
                               void *ctx, struct err *err) MUST_CHECK;
enum status votes_digest_remark(unsigned char out[32], struct db *db,
                                int64_t id, struct err *err) MUST_CHECK;

#endif
