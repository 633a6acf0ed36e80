/*
 * strata.h - the observations again, stratum by stratum of the prompts' tags:
 * where the score rose, where replies grew, where they became less direct,
 * where the KL went.  All of it is exploratory.
 *
 * A prompt belongs to one stratum, its tag (diagnose/evidence.h).  In each:
 *
 *     score        mean over prompts of (policy's mean score - reference's),
 *                  in deviations within a prompt of all prompts together
 *     length       mean tokens, policy over reference
 *     less_direct  share of policy pairs marked less direct, minus that of the
 *                  stratum's placebo pairs
 *     kl           mean exact KL, nats a reply
 *
 * Intervals resample the stratum's prompts.  Two questions are asked of every
 * cell, each with a family of its own, corrected by Benjamini and Hochberg over
 * all strata and measures:
 *
 *     p, q                  is there an effect at all?  Student's test, paired
 *                           by prompt: of the score difference, of the
 *                           difference in tokens, of the two shares'
 *                           difference.  Not asked of the KL, which is above 0
 *                           whenever the policy moved
 *     differs_p, differs_q  is it another effect than in all other strata
 *                           together?  Welch's test of the prompts' score
 *                           differences, logarithms of length ratios,
 *                           differences of shares, KL
 *
 * At most a tenth of the answers with q <= 0.1 is false on average.  A measure
 * with fewer than STRATA_MIN prompts in a stratum is told and not tested.
 */
#ifndef PLUMB_DIAGNOSE_STRATA_H
#define PLUMB_DIAGNOSE_STRATA_H

#include "diagnose/evidence.h"

#define STRATA_Q 0.1

enum {
    STRATA_MIN = 8,  // prompts for a test
    STRATA_MAX = 64, // strata, the largest; others are counted
};

enum stratum_measure {
    STRATUM_SCORE,
    STRATUM_LENGTH,
    STRATUM_LESS_DIRECT,
    STRATUM_KL,
    STRATUM_MEASURES
};

/* "score", "length", "less_direct", "kl". */
const char *strata_measure(enum stratum_measure m);

struct stratum_cell {
    struct estimate e;
    double p, q; // NaN: not asked
    double differs_p, differs_q;
};

struct stratum {
    const char *tag; // the evidence's
    size_t prompts;  // with replies
    struct stratum_cell cell[STRATUM_MEASURES];
};

struct strata {
    struct stratum *item; // most prompts first, then by name
    size_t n;
    size_t left_out; // strata beyond STRATA_MAX
    size_t untagged; // prompts with replies and no tag
};

/* An effect is there, or differs from elsewhere, at STRATA_Q. */
bool strata_holds(const struct stratum_cell *c);
bool strata_differs(const struct stratum_cell *c);

/* ERR_MEMORY is the only failure; the evidence must outlive it.  Free with
 * strata_free(), fine on a zeroed struct. */
enum status strata_judge(struct strata *out, const struct evidence *e,
                         struct err *err) MUST_CHECK;
void strata_free(struct strata *s);

/* The array "tags" of diagnosis.json. */
void strata_write(struct json_writer *w, const struct strata *s);

#endif
