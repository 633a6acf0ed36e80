/*
 * marks.h - shares of what people said of the tested reply, in policy pairs
 * and in placebo pairs, and how far the first is above the second.
 *
 *     policy   yes answers / answers, over first visits of policy pairs
 *     placebo  the same of placebo pairs, where the tested reply is one of the
 *              reference's own
 *     excess   policy - placebo
 *
 * Of two samples of one model either is called less direct up to half the
 * time, so that the share of policy pairs alone says nothing (the research
 * notes' F1).  A second visit, where a judge sees a pair again, is not another
 * answer.
 *
 * The unit is the prompt: intervals resample, as many at a time, the prompts
 * that somebody judged a pair of, and all votes on a prompt go together.  So
 * the numbers are those of the votes alone, whatever else is known of a
 * project.
 */
#ifndef PLUMB_DIAGNOSE_MARKS_H
#define PLUMB_DIAGNOSE_MARKS_H

#include "diagnose/evidence.h"

enum mark {
    MARK_LESS_DIRECT,  // the tested reply was marked lower than the other
    MARK_LESS_HELPFUL, // the same of helpfulness
    MARK_LESS_CORRECT, // the same of yes, unsure, no
    MARK_TOO_LONG,     // the tested reply was called so
    MARK_INCORRECT,    // the tested reply was said not to be correct
    MARK_CORRECT,      // yes 1, unsure 1/2, no 0
    MARK_CORRECT_OTHER,
    MARK_TOO_LONG_OTHER,
    MARK_WIN, // the tested reply was preferred; a tie is 1/2
};

/* One vote's answer, NaN when it gave none. */
double marks_answer(const struct evidence_vote *v, enum mark m);

struct marks_share {
    struct estimate policy, placebo, excess;
    size_t pairs, placebos; // votes that answered
};

/* ERR_MEMORY is the only failure. */
enum status marks_measure(struct marks_share *out, const struct evidence *e,
                          enum mark m, struct err *err) MUST_CHECK;

/* The same numbers of n marks, at most MARKS_MANY, from one round of resamples:
 * out [n]. */
#define MARKS_MANY 8
enum status marks_measure_many(struct marks_share *out,
                               const struct evidence *e, const enum mark *m,
                               size_t n, struct err *err) MUST_CHECK;

#endif
