/*
 * vote.h - a row of human/spotcheck.jsonl, or of human/checkpoints/: what one
 * person said of one blind pair (the form is that of world/panel.h).
 *
 *     {"pair_id":"...","pool":"...","prompt_id":"...",
 *      "kind":"policy"|"placebo","judge":"...","visit":1,
 *      "left":{"source":"...","sample":0,"response":"..."},"right":{...},
 *      "overall":"A"|"B"|"both_good"|"both_bad"|"tie","left_direct":0..4,
 *      "left_helpful":0..4,"left_correct":"yes"|"unsure"|"no",
 *      "left_length":"too_long"|"right"|"too_short","right_direct":...}
 *
 * A policy pair has a reply of the policy's and one of the reference's, a
 * placebo pair two of the reference's, of which one is marked as standing in
 * for the policy's.  All is told from the side of that tested reply.
 */
#ifndef PLUMB_IO_VOTE_H
#define PLUMB_IO_VOTE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/json.h"

/* One of the two replies, and what was said of it; NaN: nothing, or a word that
 * is none of these. */
struct vote_side {
    const struct json *reply; // the row's "left" or "right"
    double direct;            // 0 not at all .. 4
    double helpful;           // the same
    double correct;           // yes 1, unsure 1/2, no 0
    double too_long;          // 1 or 0
};

struct vote {
    const char *prompt;
    bool is_placebo;
    bool is_left;  // the tested reply was shown on the left
    int64_t visit; // 1, or 2 when the pair was judged again
    double win;    // tested reply preferred 1, the other one 0, a tie 1/2
    struct vote_side tested, other;
};

/*
 * Texts and replies are the row's and live as long.  ERR_FORMAT, naming `what`
 * (the file and its line), without a prompt_id, for a pair that is neither of
 * the two kinds, for a visit that is no number, for a directness or helpfulness
 * that is not from 0 to 4, and for an "overall" that is no choice: taken for a
 * tie it would pull a win rate to one half.
 */
enum status vote_read(struct vote *out, const struct json *row,
                      const char *what, struct err *err) MUST_CHECK;

/* The name of a row's pair: pairs of two pools may be called alike, so that
 * the pool is a part of it where the row has one.  NULL without a pair_id. */
const char *vote_pair(struct buf *out, const struct json *row);

#endif
