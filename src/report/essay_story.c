/* What happened, and the three sides of why. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/essay_internal.h"

#define STAT(ref, form) essay_stat(y, ref, form).text

static double number(const struct essay *y, const char *ref)
{
    return essay_find(y, ref).e.estimate;
}

const char *essay_mark_of(const struct essay *y)
{
    const struct finding *f = essay_find(y, "S2b").row;
    bool is_correct =
        f != NULL && f->unit != NULL && strstr(f->unit, "less correct") != NULL;
    return is_correct ? "correct" : "direct";
}

/* ---- what happened ------------------------------------------------------ */

/* S2b in the mark that carries it. */
static bool tell_less(struct essay *y)
{
    const char *mark = essay_mark_of(y);
    char share[32], placebo[48];
    (void)snprintf(share, sizeof share, "S2b.less_%s", mark);
    (void)snprintf(placebo, sizeof placebo, "S2b.less_%s_placebo", mark);
    return essay_say(
        y, "S2b",
        "Blind judges called the policy's reply the less %s one in %s of the "
        "pairs; of two replies of the reference%s a given one was in %s, so %s "
        "are more than chance.",
        mark, STAT(share, FORM_PERCENT), essay_term(y, TERM_PLACEBO),
        STAT(placebo, FORM_PERCENT), STAT("S2b", FORM_POINTS));
}

/* The score, and what people said of the same replies. */
static void tell_judges(struct essay *y, bool is_whole)
{
    bool is_longer =
        essay_say(y, "S2a", "The policy's have grown to %s the length.",
                  STAT("S2a", FORM_TIMES));
    if (!is_longer)
        essay_deny(y, "S2a", "The policy's %s, at %s the reference's.",
                   essay_find(y, "S2a").e.high < 1 ? "have become shorter"
                                                   : "have kept their length",
                   STAT("S2a", FORM_TIMES));
    bool is_less = tell_less(y);
    const char *who = is_less ? "They" : "Blind judges";
    bool is_gap =
        is_whole &&
        essay_say(y, "worse G",
                  "%s preferred the policy's reply in only %s, although by its "
                  "own calibration the reward model expected %s: %s of its "
                  "promise are not kept.",
                  who, STAT("worse", FORM_PERCENT),
                  STAT("G.predicted", FORM_PERCENT), STAT("G", FORM_POINTS));
    if (is_gap)
        return;
    essay_say(y, "worse", "%s preferred the policy's reply in only %s.", who,
              STAT("worse", FORM_PERCENT));
    if (is_whole)
        essay_say(y, "G",
                  "By its own calibration the reward model expected the policy "
                  "to win %s, which is %s more than people grant.",
                  STAT("G.predicted", FORM_PERCENT), STAT("G", FORM_POINTS));
}

static void tell_drift(struct essay *y)
{
    bool is_told = essay_say(
        y, "S3 S3p",
        "Meanwhile the policy's KL divergence from the reference%s grew from "
        "%s at the first checkpoint to %s at the last, although a penalty on "
        "it, with a coefficient beta of %s, is on and works: with the reward "
        "set to zero it brings the KL down to %s what it was.",
        essay_term(y, TERM_KL), STAT("S3.first", FORM_NATS),
        STAT("S3.last", FORM_NATS), STAT("S3p.beta", FORM_PLAIN),
        STAT("V7", FORM_TIMES));
    if (!is_told)
        essay_say(y, "S3",
                  "Meanwhile the policy's KL divergence from the reference%s "
                  "grew from %s at the first checkpoint to %s at the last.",
                  essay_term(y, TERM_KL), STAT("S3.first", FORM_NATS),
                  STAT("S3.last", FORM_NATS));
    /* A weak price is raised for the question, which is of the gradient. */
    if (is_told && number(y, "V7.beta") > number(y, "S3p.beta"))
        essay_say(y, "V7",
                  "(That was asked at a beta of %s: it tells that the penalty "
                  "pulls, not how hard.)",
                  STAT("V7.beta", FORM_PLAIN));
    essay_deny(y, "S3",
               "The policy does not keep drifting: its KL divergence from the "
               "reference%s changes by %s an iteration.",
               essay_term(y, TERM_KL), STAT("S3", FORM_NATS));
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
                   "On %s prompts it was never trained on, the reward model%s "
                   "scores the policy's replies %s standard deviations above "
                   "those of the reference%s.",
                   prompts.text, essay_term(y, TERM_REWARD_MODEL),
                   STAT("S1", FORM_PLAIN), essay_term(y, TERM_REFERENCE)))
        essay_deny(y, "S1",
                   "The reward model%s does not score the new policy's replies "
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

/* ---- (a) the reward model ----------------------------------------------- */

/* Where the taste for length comes from: the labels, the model, or open. */
static void tell_source(struct essay *y)
{
    bool is_taste = essay_say(
        y, "label_taste split",
        "In the held-out rankings every further token raised the log-odds of "
        "being preferred by %s, and the model learnt just that: it is right on "
        "%s of the pairs whose better reply is the longer one and on %s of "
        "those where it is the shorter.",
        STAT("label_taste", FORM_PLAIN),
        STAT("split.accuracy_chosen_longer", FORM_PERCENT),
        STAT("split.accuracy_chosen_shorter", FORM_PERCENT));
    if (!is_taste)
        essay_say(y, "split",
                  "The model goes by length: it is right on %s of the held-out "
                  "pairs whose better reply is the longer one, and on %s of "
                  "those where it is the shorter.",
                  STAT("split.accuracy_chosen_longer", FORM_PERCENT),
                  STAT("split.accuracy_chosen_shorter", FORM_PERCENT));
    essay_say(y, "a1",
              "%s likes length more than the people it learnt from do: on the "
              "same pairs its slope exceeds theirs by %s logits a token.",
              is_taste ? "It even" : "It", STAT("a1", FORM_PLAIN));
    essay_deny(y, "a1",
               "It does not exaggerate: on the same pairs its slope differs "
               "from people's by %s logits a token.",
               STAT("a1", FORM_INTERVAL));
}

static void tell_exploited(struct essay *y)
{
    bool is_more =
        number(y, "a2") > 1 && isfinite(number(y, "a2.share_policy_slopes"));
    if (is_more)
        essay_say(y, "a2",
                  "The policy took the offer: by the slope among the "
                  "reference's replies %s of the gain goes with length (by "
                  "that among its own, where a further token brings less, "
                  "%s).",
                  STAT("a2", FORM_PERCENT),
                  STAT("a2.share_policy_slopes", FORM_PERCENT));
    else
        essay_say(y, "a2",
                  "The policy took the offer: by the slope among the "
                  "reference's replies %s of the gain goes with length.",
                  STAT("a2", FORM_PERCENT));
    const struct finding *f = essay_find(y, "a3").row;
    const char *unit = f != NULL && f->unit != NULL ? f->unit : "";
    bool is_weak = strncmp(unit, "weak", 4) == 0;
    char gold[160];
    (void)snprintf(gold, sizeof gold, "%s%s",
                   is_weak ? "a second reward model" : "the gold rubric",
                   is_weak ? "" : essay_term(y, TERM_GOLD));
    /* Blind votes are told of above. */
    if (strncmp(unit, "win rate", 8) != 0)
        essay_say(y, "a3 S1",
                  "So, while the score rose, what the replies are worth to %s "
                  "fell by %s from the first checkpoint to the last.",
                  gold, STAT("a3", FORM_SIZE));
}

void essay_reward(struct essay *y)
{
    essay_open(y, "(a) Why the reward model asks for it", ESSAY_EDITS);
    essay_tell(y, "Trained on rankings, a reward model is told which of two "
                  "replies people picked, never why.");
    tell_source(y);
    bool is_pad = essay_say(
        y, "edit_pad",
        "Even a stock sentence that says nothing new brings %s of score.",
        STAT("edit_pad", FORM_PLAIN));
    if (is_pad && essay_find(y, "edit_trim").e.high < 0)
        essay_deny(y, "edit_trim", "Taking such sentences away costs %s.",
                   STAT("edit_trim", FORM_SIZE));
    essay_deny(y, "edit_pad",
               "A stock sentence that says nothing new, added to a reply, "
               "brings no score (%s).",
               STAT("edit_pad", FORM_INTERVAL));
    tell_exploited(y);
}

/* ---- (b) the optimiser -------------------------------------------------- */

void essay_optimiser(struct essay *y)
{
    essay_open(y, "(b) Why the optimiser obeys", ESSAY_STEPS);
    essay_tell(y,
               "PPO, the training algorithm, makes each token more or less "
               "likely in proportion to its advantage%s.",
               essay_term(y, TERM_ADVANTAGE));
    essay_say(y, "b1",
              "Of the replies to one prompt the longer ones score higher even "
              "after the penalty (a covariance of %s tokens times score), so "
              "the gradient pushes towards length; its sign foretold %s of the "
              "next changes of length.",
              STAT("b1", FORM_PLAIN),
              STAT("b1.next_change_foretold", FORM_PERCENT));
    essay_deny(y, "b1",
               "The gradient does not push towards length: the covariance of "
               "length and score, net of the penalty, is %s.",
               STAT("b1", FORM_INTERVAL));
    essay_say(y, "b2",
              "PPO's clip%s cannot prevent this, because it bounds a step and "
              "not where the steps lead: they are small (%s in the median, and "
              "%s of the tokens were stopped), but they went %s of a straight "
              "line where a random walk makes %s.",
              essay_term(y, TERM_CLIP), STAT("b2.median_step_kl", FORM_NATS),
              STAT("b2.gradient_stopped", FORM_PERCENT),
              STAT("b2", FORM_PERCENT), STAT("b2.random_walk", FORM_PERCENT));
    essay_say(y, "b3",
              "What PPO's steps teach is not to stop: after a sentence of the "
              "same text the policy now stops %s as readily as the "
              "reference.",
              STAT("b3", FORM_TIMES));
    essay_say(y, "update_eos",
              "Taken apart, an update's gradient says the same: along what "
              "comes of the reward alone stopping becomes rarer (its "
              "log-probability changes by %s thousandths in a plain step, of "
              "which the sign counts and not the size), along what comes of "
              "the penalty it changes by %s.",
              STAT("update_eos", FORM_SIGNED),
              STAT("update_eos.penalty", FORM_SIGNED));
}

/* ---- (c) the penalty ---------------------------------------------------- */

void essay_penalty(struct essay *y)
{
    essay_open(y, "(c) Why the penalty does not stop it",
               ESSAY_LEDGER | ESSAY_PRICE);
    essay_tell(y, "From each token's reward the penalty takes beta times the "
                  "log-ratio, its log-probability under the policy minus that "
                  "under the reference. It is a price, not a wall.");
    bool is_ledger = essay_say(
        y, "ledger",
        "It is charged almost nowhere: %s of the KL lies on the %s of tokens "
        "behind a sentence's end, where the choice is to stop or to go on.",
        STAT("ledger.sentence_end", FORM_PERCENT),
        STAT("ledger.tokens_at_sentence_end", FORM_PERCENT));
    essay_say(y, "length_price S2a",
              "%s length as such is nearly free: to make replies %s as long by "
              "stopping less readily takes %s, of %s that were spent.",
              is_ledger ? "Beyond it" : "And", STAT("S2a", FORM_TIMES),
              STAT("length_price", FORM_NATS),
              STAT("length_price.kl", FORM_NATS));
    bool is_weak = essay_say(
        y, "c1", "%sthe penalty takes back only %s of the score's push.",
        is_ledger || essay_is(y, "length_price") ? "Therefore " : "Here ",
        STAT("c1", FORM_PERCENT));
    essay_say(y, "c1 update_kl",
              "In the update itself its gradient is %s as long as the "
              "reward's.",
              STAT("update_kl", FORM_TIMES));
    essay_deny(y, "c1",
               "It is no light charge: the penalty takes back %s of the "
               "score's push.",
               STAT("c1", FORM_PERCENT));
    essay_say(y, "c2", "%s a nat of drift bought %s of score and cost %s.",
              is_weak ? "Nor is the price high:" : "The price is low:",
              STAT("c2", FORM_PLAIN), STAT("c2.beta", FORM_PLAIN));
    essay_say(y, "c2",
              "Were scores normal with the spread of the reference's, it would "
              "pay to go on up to some %s: the price does not bind.",
              STAT("c2.kl_at_gaussian_optimum", FORM_NATS));
    essay_deny(y, "c2",
               "The price is not too low: a nat of drift bought %s of score "
               "and cost %s.",
               STAT("c2", FORM_PLAIN), STAT("c2.beta", FORM_PLAIN));
    essay_say(y, "c3 S3p",
              "The penalty is not broken, then: it acts, and does not forbid "
              "the drift.");
}
