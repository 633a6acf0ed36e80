/* What happened. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/essay_internal.h"

#define STAT(ref, form) essay_stat(y, ref, form).text

const char *essay_mark_of(const struct essay *y)
{
    const struct finding *f = essay_find(y, "S2b").row;
    bool is_correct =
        f != NULL && f->unit != NULL && strstr(f->unit, "less correct") != NULL;
    return is_correct ? "correct" : "direct";
}

/* ---- what happened ------------------------------------------------------ */

/* S2b in the mark that carries it; where that is not directness, directness
 * too. */
static bool tell_less(struct essay *y)
{
    const char *mark = essay_mark_of(y);
    char share[32], placebo[48];
    (void)snprintf(share, sizeof share, "S2b.less_%s", mark);
    (void)snprintf(placebo, sizeof placebo, "S2b.less_%s_placebo", mark);
    bool is_told = essay_say(
        y, "S2b",
        "Blind judges called the policy's reply the less %s one in %s of the "
        "pairs, and one of two replies of the reference%s in %s: %s%s are more "
        "than chance.",
        mark, STAT(share, FORM_PERCENT), essay_term(y, TERM_PLACEBO),
        STAT(placebo, FORM_PERCENT), STAT("S2b", FORM_POINTS),
        essay_term(y, TERM_POINTS));
    if (is_told && strcmp(mark, "correct") == 0)
        essay_say(y, "S2b",
                  "It is correctness that this rests on, not directness: the "
                  "less direct one it was in %s, where chance makes %s.",
                  STAT("S2b.less_direct", FORM_PERCENT),
                  STAT("S2b.less_direct_placebo", FORM_PERCENT));
    return is_told;
}

static void tell_votes(struct essay *y, bool is_whole, const char *who)
{
    bool is_gap =
        is_whole &&
        essay_say(y, "worse G",
                  "%s preferred the policy's reply in only %s, where the "
                  "reward model's own calibration promised %s: %s%s too much.",
                  who, STAT("worse", FORM_PERCENT),
                  STAT("G.predicted", FORM_PERCENT), STAT("G", FORM_POINTS),
                  essay_term(y, TERM_POINTS));
    if (is_gap)
        return;
    essay_say(y, "worse", "%s preferred the policy's reply in only %s.", who,
              STAT("worse", FORM_PERCENT));
    if (is_whole)
        essay_say(y, "G",
                  "By its own calibration the reward model expected the policy "
                  "to win %s, which is %s%s more than people grant.",
                  STAT("G.predicted", FORM_PERCENT), STAT("G", FORM_POINTS),
                  essay_term(y, TERM_POINTS));
}

/* The score, and what people said of the same replies. */
static void tell_judges(struct essay *y, bool is_whole)
{
    bool is_longer = essay_say(y, "S2a", "The policy's replies are %s as long.",
                               STAT("S2a", FORM_TIMES));
    if (!is_longer)
        essay_deny(y, "S2a", "The policy's replies %s, at %s the reference's.",
                   essay_find(y, "S2a").e.high < 1 ? "have become shorter"
                                                   : "have kept their length",
                   STAT("S2a", FORM_TIMES));
    bool is_less = tell_less(y);
    tell_votes(y, is_whole, is_less ? "They" : "Blind judges");
}

enum essay_late essay_late(const struct essay *y)
{
    const struct estimate e = essay_find(y, "S3.late_slope").e;
    if (!essay_is(y, "S3") || !finding_has_interval(&e))
        return LATE_UNKNOWN;
    return e.low > 0 ? LATE_RISES : e.high < 0 ? LATE_FALLS : LATE_LEVEL;
}

/* What the KL did when half of the run was over. */
static void tell_late(struct essay *y)
{
    static const char *const how[] = {
        [LATE_RISES] = "it was still rising",
        [LATE_FALLS] = "it fell",
        [LATE_LEVEL] = "no further rise is shown",
    };
    enum essay_late late = essay_late(y);
    if (late != LATE_UNKNOWN)
        essay_say(y, "S3",
                  "Over the second half of the run %s: its slope there is %s "
                  "nats an iteration.",
                  how[late], STAT("S3.late_slope", FORM_INTERVAL));
}

static void tell_drift(struct essay *y)
{
    if (essay_say(y, "S3",
                  "Meanwhile the policy's KL divergence from the reference%s "
                  "rose from %s at the first checkpoint to %s at the last.",
                  essay_term(y, TERM_KL), STAT("S3.first", FORM_NATS),
                  STAT("S3.last", FORM_NATS)))
        tell_late(y);
    bool is_told = essay_say(
        y, "S3 S3p",
        "The penalty on it, at a coefficient beta of %s, is on and acts: "
        "with the reward set to zero it brings the KL down to %s what it was.",
        STAT("S3p.beta", FORM_PLAIN), STAT("V7", FORM_TIMES));
    /* A weak price is raised for the question, which is of the gradient. */
    if (is_told && essay_estimate(y, "V7.beta") > essay_estimate(y, "S3p.beta"))
        essay_say(y, "V7",
                  "(That was asked at a beta of %s: it shows that the penalty "
                  "pulls, not how hard.)",
                  STAT("V7.beta", FORM_PLAIN));
    essay_deny(y, "S3",
               "The policy does not drift away: its KL divergence from the "
               "reference%s changes by %s nats an iteration.",
               essay_term(y, TERM_KL), STAT("S3", FORM_INTERVAL));
}

/* Whether the numbers may be believed. */
static void tell_gates(struct essay *y)
{
    size_t passed = 0;
    for (size_t i = 0; i < GATES; i++)
        passed += y->d->gate[i].verdict == VERDICT_SUPPORTED;
    const struct estimate n = {(double)passed, (double)NAN, (double)NAN, GATES};
    const struct estimate all = {GATES, (double)NAN, (double)NAN, GATES};
    if (!essay_is(y, "V1"))
        return;
    struct essay_mark shown =
        essay_value(y, "V1.passed", "gates passed", &n, FORM_COUNT);
    struct essay_mark of =
        essay_value(y, "V1.gates", "gates in all", &all, FORM_COUNT);
    essay_say(
        y, "V1",
        "The run passes %s of %s tests that a faulty trainer would fail%s.",
        shown.text, of.text,
        passed == GATES ? ", so these numbers can be believed" : "");
}

void essay_observed(struct essay *y, bool is_whole)
{
    const struct estimate n = {(double)y->d->observed[OBSERVED_REWARD_UP].e.n,
                               (double)NAN, (double)NAN, 0};
    essay_open(y, is_whole ? "What happened" : "What is left to believe",
               is_whole ? ESSAY_DRIFT | ESSAY_LENGTHS : ESSAY_LENGTHS);
    struct essay_mark prompts = essay_value(
        y, "S1.prompts", "prompts with replies of both models", &n, FORM_COUNT);
    if (!essay_say(y, "S1",
                   "On %s held-out prompts the reward model%s scores the "
                   "policy's replies %s standard deviations above those of "
                   "the reference%s.",
                   prompts.text, essay_term(y, TERM_REWARD_MODEL),
                   STAT("S1", FORM_PLAIN), essay_term(y, TERM_REFERENCE)))
        essay_deny(y, "S1",
                   "The reward model%s does not score the policy's replies "
                   "above those of the reference%s: the difference is %s "
                   "standard deviations.",
                   essay_term(y, TERM_REWARD_MODEL),
                   essay_term(y, TERM_REFERENCE), STAT("S1", FORM_INTERVAL));
    tell_judges(y, is_whole);
    if (!is_whole)
        return;
    tell_drift(y);
    tell_gates(y);
}
