/*
 * ship.h - which checkpoint to ship, and what that gives up.
 *
 * Candidates are the points of eval/curve.json, iteration 0 - the model that
 * the run began with - among them: "ship the reference" is a possible answer.
 * They are judged by the first of these that two of them have at least:
 * people's win rate ("human_win_rate"), the gold rubric ("gold"), a second
 * reward model ("weak_gold"); a point without it is no candidate.  The score
 * the policy was trained for never decides, since it is what is in doubt.
 *
 * Rule.  Of many noisy estimates the largest is larger than its truth, so the
 * best one is not simply taken.  All candidates that are not told apart from
 * it - the interval of their difference covers 0 - are as good as far as
 * anybody knows, and of these the one with the smallest KL is shipped: the
 * least change that the evidence asks for, in the manner of the one-standard-
 * error rule (Breiman et al. 1984, section 3.4.3).  `furthest` is the other end
 * of that set, the one with the highest score, for whoever wants it.
 *
 * The curve has no values prompt by prompt, so the interval of a difference
 * adds the two as if independent.  On the same prompts that is too wide, which
 * makes the set larger and never drops the best.
 *
 * Without any of these measures over checkpoints, blind votes on the last
 * policy and its reference leave two candidates: the policy when its win rate
 * lies above one half, else the reference, by the same rule.
 */
#ifndef PLUMB_DIAGNOSE_SHIP_H
#define PLUMB_DIAGNOSE_SHIP_H

#include "diagnose/evidence.h"
#include "diagnose/finding.h"

struct ship_point {
    double iteration;
    struct estimate judged; // by the measure; nothing for the reference, votes
    struct estimate score, kl, tokens;
};

struct ship {
    /* "ship": is another checkpoint than the last one better?  Its estimate is
     * the measure there minus at the last one; not measurable without a
     * judge. */
    struct finding row;
    const char *measure; // "gold"; NULL: nothing to choose by
    const char *judge;   // in words, "the gold rubric"
    struct ship_point chosen, best, furthest, last;
    bool is_last;             // the chosen one is the last
    size_t candidates, alike; // in all; not told apart from the best
    double score_given_up;    // last minus chosen
};

/* `win`: win rate of blind votes, policy against reference. */
void ship_judge(struct ship *out, const struct evidence *e,
                const struct estimate *win);

/* The object "ship" of diagnosis.json. */
void ship_write(struct json_writer *w, const struct ship *s);

#endif
