/*
 * standing_internal.h - what the files of standing.h share.
 *
 *     standing.c            all of it in its order, and as JSON
 *     standing_read.c       votes out of the database
 *     standing_judges.c     each judge, and how far to be believed
 *     standing_agreement.c  judges among each other
 *     standing_spot.c       what a spot-check says
 *     standing_words.c      in words
 */
#ifndef PLUMB_SERVE_STANDING_INTERNAL_H
#define PLUMB_SERVE_STANDING_INTERNAL_H

#include "base/names.h"
#include "serve/standing.h"
#include "store/votes.h"

/* An item with an id of its own; repeats point to the one they repeat. */
struct standing_item {
    int64_t id;
    enum item_kind kind;
    size_t prompt; // < n_prompts
    size_t K;
    size_t words;          // of the prompt and all replies
    double *length;        // [K] characters
    int32_t *expected;     // [K] ranks, of gold; else NULL
    size_t tested;         // whose reply is asked about: the policy's or the
                           // placebo; SIZE_MAX: none is
    size_t first, n_votes; // first visits: vote[first..first+n_votes-1]
};

/* A vote that stands, told from the candidates. */
struct standing_vote {
    size_t item, judge;
    bool is_repeat;
    int32_t *rank;   // [K] 1 + how many were preferred
    int32_t *column; // [K] where it was shown, from the left
    struct vote_marks mark[2];
    int64_t shown, voted;
};

struct standing_votes {
    struct arena *arena; // of all arrays below
    struct standing_item *item;
    size_t n_items, room_items;
    struct standing_vote *vote; // by item, first visits before repeats
    size_t n, room;
    struct names prompt;
    size_t n_prompts;
};

/* Judges (with what progress_judge() counts) into s->judge, votes into out;
 * free with standing_votes_free(). */
enum status standing_read(struct standing_votes *out, struct standing *s,
                          struct db *db, struct err *err) MUST_CHECK;
void standing_votes_free(struct standing_votes *v);

/* Is the pair (a, b) of candidates won by a: 1, 0, or 1/2 for a tie. */
double standing_win(const struct standing_vote *v, size_t a, size_t b);

/* Do judges meet here what they are asked about: normal and placebo items. */
bool standing_is_asked(const struct standing_item *x);

/* The policy's reply beside the reference's. */
bool standing_is_policy(const struct standing_item *x);

enum status standing_judge_all(struct standing *s,
                               const struct standing_votes *v,
                               struct err *err) MUST_CHECK;
enum status standing_agree(struct standing *s, const struct standing_votes *v,
                           struct err *err) MUST_CHECK;
enum status standing_spot(struct standing *s, const struct standing_votes *v,
                          struct db *db, struct err *err) MUST_CHECK;
enum status standing_say(struct standing *s, struct err *err) MUST_CHECK;

/* The plan of intervals that are in no other document. */
struct bootstrap standing_plan(void);

/* An estimate, or why it has no value. */
struct standing_value standing_value_of(const struct estimate *e,
                                        const char *reason);

#endif
