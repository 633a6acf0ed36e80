/*
 * standing.h - how a pool of judgements stands: judges, agreement, and of a
 * spot-check what it says so far; the document plumb.standing/1
 * (docs/label-http.md).
 *
 *     struct standing s;
 *     TRY(standing_make(&s, db, pool, now, err));
 *     standing_write(&w, &s);          // or standing_text(&out, &s)
 *     standing_free(&s);
 *
 * Everything is of one moment, and of what stands: an act that was undone
 * counts for nothing.  A repeat is another visit to an item, and counts for a
 * judge's own consistency and for nothing else.
 *
 * JUDGES.  A vote is one observation; where K > 2 were ranked, one whose value
 * is a share of its decided pairs.  Intervals are Wilson's (stat/winrate.h).
 *
 *     left         of decided pairs, those won by what was shown further left
 *     longer       those won by the text of more characters; normal and
 *                  placebo items, pairs of one length left out
 *     consistency  pairs of a repeat decided as by the same judge at first
 *     gold         pairs that the answer decides, decided alike
 *     identical    of items whose texts are one, those called equal
 *     win          of a spot-check: the policy's reply preferred to the
 *                  reference's, a tie one half; one observation is a prompt,
 *                  the mean of the judge's votes on its pairs
 *     too_fast     votes cast sooner after the item came on the screen than
 *                  prompt and replies are read at STANDING_WORDS_A_MINUTE,
 *                  four times what adults read (238, Brysbaert 2019): a flag,
 *                  no proof, and nothing is done about it
 *     weight       stat/reliability.h, on all pairs of normal and placebo items
 *
 * AGREEMENT (stat/agreement.h) between judges on normal and placebo items:
 * "overall", three outcomes of a pair (a spot-check), "ranking", the same of
 * all pairs of a ranking: raw, Cohen's kappa of two judges or Fleiss' of more
 * (on items that have the votes the pool wants), alpha with the nominal metric;
 * alpha with the ordinal metric of "ranks", "direct", "helpful", "correct",
 * "length".  The unit of intervals is the prompt.  Of a spot-check also alpha
 * of "policy", the choices on policy pairs alone: two placebos are equal in
 * truth, and agreement on them is chance.
 *
 * Judges are said to disagree as if by chance when the interval of alpha of a
 * ranking or of "policy" holds 0 and lies below STANDING_ALPHA, and more than
 * by chance when it lies below 0.  STANDING_ALPHA is the alpha of judges of one
 * mind about 60 % of pairs, the least that is usual, where chance alone gives
 * 40 %.  So of judges who agree as usual it is said in about one run of forty,
 * what a 95 % interval misses to one side, however few the pairs are.
 *
 * SPOT-CHECK.  Win rate and marks are those of plumb diagnose
 * (diagnose/marks.h), the same numbers from the same votes.  Length-controlled:
 * stat/lcwin.h on the votes, lengths in characters.
 *
 * Is an excess over placebo measurable?  Not by whether its interval happens to
 * exclude 0 already, which after every vote it has another chance to do
 * (stat/sequential.h): what is asked is whether an excess of STANDING_EFFECT,
 * one pair in six, would be found with 80 % power at the 5 % level, by the
 * variance seen.  With n pairs so far and se a quarter of the 95 % interval's
 * width (to be exact, 1/3.92 of it),
 *
 *     N = n ((z(.975) + z(.8)) se / STANDING_EFFECT)^2,
 *
 * at least STANDING_PAIRS_MIN, below which the variance seen is not to be
 * trusted.  With shares p of policy and q of as many placebo pairs that is
 * 2 * 7.85 (p (1 - p) + q (1 - q)) * 36: at most 283, so that 320 pairs, half
 * of them placebo, are enough whatever the shares, and 100 never are.  While an
 * excess has no interval, STANDING_PAIRS are wanted.  A pair that several
 * judged is one.
 *
 * SEQUENTIAL (stat/sequential.h).  A prompt has one vote: the majority of the
 * first votes, as many as the pool wants, on its first policy pair, the one
 * that was added first; retired ones are left out.  It counts when the last of
 * these votes came, and from then on nothing that is voted or added changes it,
 * as Ville's inequality asks for: only who undoes one of these very votes, or
 * retires the pair, takes it back.  Further pairs of a prompt are in the win
 * rate and the marks, not in the test.  Prompts whose first pair still wants
 * votes are `waiting`: one that all judges skipped, for ever.
 *
 *     more        first pairs until decided (sequential_more())
 *     more_votes  votes until then that judges cast on items of any kind, by
 *                 the pool's own mixture: more * (votes that stand + votes
 *                 that items still want) / prompts with a policy pair
 */
#ifndef PLUMB_SERVE_STANDING_H
#define PLUMB_SERVE_STANDING_H

#include "base/arena.h"
#include "base/json.h"
#include "diagnose/marks.h"
#include "stat/agreement.h"
#include "stat/sequential.h"
#include "store/items.h"
#include "store/judges.h"
#include "store/progress.h"

#define STANDING_WORDS_A_MINUTE 1000
#define STANDING_EFFECT (1.0 / 6)
#define STANDING_PAIRS_MIN 200
#define STANDING_PAIRS 320
#define STANDING_ALPHA (1.0 / 3)
/* Resamples where no other document has the same number. */
#define STANDING_RESAMPLES 400
/* plumb diagnose's seed, when nobody gives it another. */
#define STANDING_SEED 1

/* A number, or why there is none. */
struct standing_value {
    struct estimate e;
    const char *reason; // NULL: the estimate is defined
};

struct standing_judge {
    struct judge judge;
    int64_t votes, skips, undone, too_fast;
    double median_ms;  // NaN without a vote
    int64_t unblinded; // looked how it stood while judging, when; 0: never
    struct standing_value left, longer, consistency, gold, identical;
    struct standing_value win; // of a spot-check
    double weight;             // NaN: no vote on what others voted on
};

enum {
    STANDING_AGREEMENTS = 8,
    STANDING_MARKS = 4,
    STANDING_SAYS = 12
};

struct standing_agreement {
    const char *name, *of;
    struct standing_value value;
};

struct standing_mark {
    const char *name; // "less_direct"
    const char *text; // "less direct"
    struct marks_share share;
    size_t pairs, placebos; // distinct pairs that were answered about
    bool is_measurable;
    size_t more_pairs; // 0 when measurable
};

struct standing {
    struct arena arena; // of texts
    struct pool pool;
    int64_t at;
    struct progress progress;
    struct standing_judge *judge; // [n_judges], by id
    size_t n_judges;
    struct standing_agreement agreement[STANDING_AGREEMENTS];
    size_t n_agreement;
    struct standing_value longer; // all judges together

    /* Of a spot-check. */
    struct standing_value win, win_length_controlled;
    struct standing_mark mark[STANDING_MARKS];
    struct sequential sequential;
    double more, more_votes; // until decided; 0: it is, INFINITY: not in sight
    int64_t waiting;         // prompts

    const char *says[STANDING_SAYS]; // the most important first
    size_t n_says;
};

/* Failure: ERR_MISSING, no such pool; else as db.h. */
enum status standing_make(struct standing *out, struct db *db, int64_t pool,
                          int64_t now, struct err *err) MUST_CHECK;
void standing_free(struct standing *s);

/* One object plumb.standing/1. */
void standing_write(struct json_writer *w, const struct standing *s);

/* The same in words, for a terminal. */
void standing_text(struct buf *out, const struct standing *s);

#endif
