/*
 * finding.h - one row of a diagnosis: a claim, the statistic it rests on, and
 * the verdict.
 *
 * Three verdicts, never two.  With `effect` the smallest effect worth the name
 * and `null` the value of no effect:
 *
 *     supported       the interval excludes `null` in the direction claimed
 *                     and the estimate reaches `effect`
 *     not supported   the interval excludes `effect`: what was looked for is
 *                     not there, which is more than not finding it
 *     not measurable  neither: an input is missing, a gate failed, or there is
 *                     too little data, and then `needs` says how much would do
 *
 * A claim "larger than" has effect >= null, "smaller than" effect < null.
 * Equivalence ("as before") is a claim of its own with its own margin, tested
 * by the interval lying inside the margin (TOST at the interval's level).
 */
#ifndef PLUMB_DIAGNOSE_FINDING_H
#define PLUMB_DIAGNOSE_FINDING_H

#include <stdbool.h>

#include "base/buf.h"
#include "stat/measures.h"

enum verdict {
    VERDICT_NOT_MEASURABLE,
    VERDICT_NOT_SUPPORTED,
    VERDICT_SUPPORTED,
};

/* "not_measurable", "not_supported", "supported". */
const char *finding_verdict(enum verdict v);

enum {
    FINDING_TEXT_MAX = 512,
};

struct finding {
    const char *id;    // "S1", "a1", "V7", "R3"
    const char *claim; // what is claimed, one clause
    enum verdict verdict;
    struct estimate e; // the statistic the verdict rests on
    const char *unit;  // of the estimate
    double null, effect;
    double p;                    // two-sided, of `null`; NaN: no test
    double p_holm;               // among the confirmatory rows; NaN: not one
    bool is_lead;                // exploratory: a lead, no verdict-bearing test
    const char *data;            // what it was computed from
    char text[FINDING_TEXT_MAX]; // the numbers in one sentence
    char needs[FINDING_TEXT_MAX]; // what is missing; "" unless not measurable
    struct measures detail;       // supporting statistics, named
};

/* A row about nothing yet: not measurable, no estimate. */
struct finding finding_new(const char *id, const char *claim, const char *unit,
                           const char *data);

/* The verdict of an estimate, as above; sets e, null, effect, verdict and,
 * when there is too little data, needs. */
void finding_judge(struct finding *f, const struct estimate *e, double null,
                   double effect);

/*
 * The verdict of a claim that knows no effect of its own size, only a bound:
 * supported when the whole interval lies on the side claimed, not supported
 * when it lies on the other or ends at the bound.  Sets e, effect (the bound),
 * verdict and needs.
 *   units  what is resampled, as needs puts it: "prompts"
 *   lack   needs when there is no estimate; it is kept by value
 */
enum finding_side {
    FINDING_ABOVE,
    FINDING_BELOW
};
void finding_judge_side(struct finding *f, const struct estimate *e,
                        enum finding_side side, double bound, const char *units,
                        const char *lack);

/* Not measurable, because of this; printf form. */
void finding_lack(struct finding *f, const char *fmt, ...) ERR_PRINTF(2, 3);

/* The sentence with the numbers; printf form. */
void finding_say(struct finding *f, const char *fmt, ...) ERR_PRINTF(2, 3);

/*
 * Units of resampling (prompts) at which an effect of `effect` would show with
 * 80 % power at the interval's 95 % level, from the present interval's width
 * w:  n ((1.96 + 0.84) / 1.96 * w/2 / |effect - null|)^2.  NaN without an
 * interval.  At least n + 1, since n did not do, and else at most
 * FINDING_ENOUGH_MAX: beyond it, and where there is no difference to show, the
 * number says nothing.
 */
#define FINDING_ENOUGH_MAX 1e6
double finding_enough(const struct estimate *e, double null, double effect);

/* The same in words: "about 817 prompts", "more than a million prompts", "no
 * number of prompts", and "more prompts" without an interval; `units` in the
 * plural, which may go on to say what they have. */
#define FINDING_ENOUGH_TEXT 64
const char *finding_enough_units(char out[FINDING_ENOUGH_TEXT],
                                 const struct estimate *e, double null,
                                 double effect, const char *units);
const char *finding_enough_prompts(char out[FINDING_ENOUGH_TEXT],
                                   const struct estimate *e, double null,
                                   double effect);

/* The two-sided p-value of `null` that a 95 % interval implies for a normal
 * estimate: 2 Phi(-|estimate - null| / ((high - low) / 3.92)).  NaN without an
 * interval. */
double finding_p(const struct estimate *e, double null);

/* "0.42 [0.30, 0.55]" with so many decimals, into out[64]; "not measured" of
 * nothing, "0.42 [no interval]" without one. */
const char *finding_number(char out[64], const struct estimate *e,
                           int decimals);
/* The same of a share as "42 % [30, 55]". */
const char *finding_percent(char out[64], const struct estimate *e);

/* A supporting statistic; nothing is added past MEASURES_MAX. */
void finding_add(struct finding *f, const char *name, const struct estimate *e);
/* A number without an interval. */
void finding_add_number(struct finding *f, const char *name, double x,
                        size_t n);

/* Is the estimate there and finite, with its interval? */
bool finding_has_interval(const struct estimate *e);

/* The row as an object of diagnosis.json. */
void finding_write(struct json_writer *w, const struct finding *f);

#endif
