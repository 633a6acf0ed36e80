/* The three sides of why. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diagnose/kl_side.h"
#include "report/essay_internal.h"

#define STAT(ref, form) essay_stat(y, ref, form).text

/* A paragraph's title where the run is the paradox, and where it is not: then
 * nobody asks for anything, or may. */
static void open_side(struct essay *y, const char *why, const char *side,
                      unsigned figures)
{
    essay_open(y, y->d->verdict == DIAGNOSIS_PARADOX ? why : side, figures);
}

/* ---- (a) the reward model ----------------------------------------------- */

/* What ten more tokens do to the odds, from the slope of the log-odds. */
static struct essay_mark odds(struct essay *y)
{
    const struct estimate e = essay_find(y, "label_taste").e;
    const struct estimate times = {exp(10 * e.estimate), exp(10 * e.low),
                                   exp(10 * e.high), e.n};
    return essay_value(y, "label_taste.ten",
                       "label_taste, odds of being preferred, ten tokens more "
                       "over none, from human rankings",
                       &times, FORM_PLAIN);
}

/* Where the taste for length comes from: the labels, the model, or open. */
static void tell_source(struct essay *y)
{
    bool is_taste = essay_say(
        y, "label_taste split",
        "In the held-out rankings ten further tokens multiplied the odds of "
        "being preferred by %s, and the model goes by length: it is right on "
        "%s of the pairs whose better reply is the longer one, and on %s of "
        "those where it is the shorter.",
        odds(y).text, STAT("split.accuracy_chosen_longer", FORM_PERCENT),
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
              "same pairs its slope exceeds theirs by %s in log-odds a token.",
              is_taste ? "It even" : "It", STAT("a1", FORM_PLAIN));
    essay_deny(y, "a1",
               "It does not exaggerate: on the same pairs its slope on length "
               "differs from people's by %s in log-odds a token.",
               STAT("a1", FORM_INTERVAL));
}

static void tell_edits(struct essay *y)
{
    bool is_pad = essay_say(
        y, "edit_pad",
        "Even a stock sentence that says nothing new brings %s of %sscore.",
        STAT("edit_pad", FORM_PLAIN), essay_term(y, TERM_SCORE));
    if (is_pad && essay_find(y, "edit_trim").e.high < 0)
        essay_deny(y, "edit_trim", "Leaving one out costs %s.",
                   STAT("edit_trim", FORM_SIZE));
    essay_deny(y, "edit_pad",
               "A stock sentence that says nothing new, added to a reply, "
               "brings no gain: it changes the %sscore by %s.",
               essay_term(y, TERM_SCORE), STAT("edit_pad", FORM_INTERVAL));
}

static void tell_exploited(struct essay *y)
{
    bool is_more = essay_estimate(y, "a2") > 1 &&
                   isfinite(essay_estimate(y, "a2.share_policy_slopes"));
    if (is_more)
        essay_say(y, "a2",
                  "At a token's worth among the reference's replies the change "
                  "of length makes %s of the gain, more than all of it; at "
                  "its worth among the policy's own, %s.",
                  STAT("a2", FORM_PERCENT),
                  STAT("a2.share_policy_slopes", FORM_PERCENT));
    else
        essay_say(y, "a2",
                  "At a token's worth among the reference's replies the change "
                  "of length makes %s of the gain.",
                  STAT("a2", FORM_PERCENT));
    const struct finding *f = essay_find(y, "a3").row;
    const char *unit = f != NULL && f->unit != NULL ? f->unit : "";
    bool is_weak = strncmp(unit, "weak", 4) == 0;
    /* Blind votes are told of above. */
    if (strncmp(unit, "win rate", 8) != 0)
        essay_say(y, "a3 S1",
                  "While the score rose, what the replies are worth to %s%s "
                  "fell by %s from the first checkpoint to the last.",
                  is_weak ? "a second reward model" : "the gold rubric",
                  is_weak ? "" : essay_term(y, TERM_GOLD),
                  STAT("a3", FORM_SIZE));
}

void essay_reward(struct essay *y)
{
    open_side(y, "(a) Why the reward model asks for it", "(a) The reward model",
              ESSAY_EDITS);
    essay_tell(y, "Trained on rankings, a reward model is told which of two "
                  "replies people picked, never why.");
    tell_source(y);
    tell_edits(y);
    tell_exploited(y);
}

/* ---- (b) the optimiser -------------------------------------------------- */

/* What the penalty's part of an update does to stopping, in terms of what the
 * reward's does: a plain step's size is arbitrary and cancels. */
static void tell_update(struct essay *y)
{
    const struct estimate back = essay_find(y, "update_eos.penalty").e;
    double reward = essay_estimate(y, "update_eos");
    const struct estimate ratio = {fabs(back.estimate / reward), (double)NAN,
                                   (double)NAN, back.n};
    bool is_told =
        finding_has_interval(&back) && (back.low > 0 || back.high < 0) &&
        essay_say(y, "update_eos",
                  "An update's gradient, taken apart, agrees: its reward part "
                  "makes stopping rarer, and its penalty part %s %s that.",
                  back.low > 0 ? "takes back" : "adds",
                  essay_value(y, "update_eos.ratio",
                              "update_eos, change of log P(EOS) by the "
                              "penalty's part over that by the reward's, from "
                              "probes/gradient.json",
                              &ratio, FORM_TIMES)
                      .text);
    if (!is_told)
        essay_say(y, "update_eos",
                  "An update's gradient, taken apart, agrees: its reward part "
                  "makes stopping rarer.");
}

void essay_optimiser(struct essay *y)
{
    open_side(y, "(b) Why the optimiser obeys", "(b) The optimiser",
              ESSAY_STEPS);
    essay_tell(y,
               "PPO makes each token more or less likely in proportion to its "
               "advantage%s.",
               essay_term(y, TERM_ADVANTAGE));
    if (essay_say(y, "b1",
                  "While length rose, the longer of the replies to one prompt "
                  "scored higher even net of the penalty (a covariance of %s), "
                  "so the gradient pushed towards length.",
                  STAT("b1", FORM_PLAIN)))
        essay_say(y, "b1",
                  "Its sign foretold %s of the next changes of length.",
                  STAT("b1.next_change_foretold", FORM_PERCENT));
    essay_deny(y, "b1",
               "The gradient does not push towards length: the covariance of "
               "length and score, net of the penalty, is %s.",
               STAT("b1", FORM_INTERVAL));
    essay_say(y, "b2",
              "PPO's clip%s bounds a step and not where the steps lead: while "
              "the KL rose, steps of %s in the median went %s of a "
              "straight line, where a random walk makes %s.",
              essay_term(y, TERM_CLIP), STAT("b2.median_step_kl", FORM_NATS),
              STAT("b2", FORM_PERCENT), STAT("b2.random_walk", FORM_PERCENT));
    essay_say(y, "b3",
              "What the steps taught is not to stop: after a sentence of the "
              "same text the policy stops %s as readily as the reference.",
              STAT("b3", FORM_TIMES));
    tell_update(y);
}

/* ---- (c) the penalty ---------------------------------------------------- */

/* The price of a nat, and where it would stop the drift. */
static void tell_price(struct essay *y, bool is_weak)
{
    double optimum = essay_estimate(y, "c2.kl_at_gaussian_optimum");
    const char *lead = is_weak ? "Nor is the price high" : "The price is low";
    struct essay_mark bought = essay_stat(y, "c2", FORM_PLAIN);
    struct essay_mark beta = essay_stat(y, "c2.beta", FORM_PLAIN);
    if (!isfinite(optimum))
        essay_say(y, "c2",
                  "%s: a nat of drift bought %s of %sscore and cost "
                  "%s.",
                  lead, bought.text, essay_term(y, TERM_SCORE), beta.text);
    else if (optimum > KL_SIDE_FURTHEST)
        essay_say(y, "c2",
                  "%s: a nat of drift bought %s of %sscore and cost %s, and "
                  "were scores normal, drift would pay further than any run "
                  "goes.",
                  lead, bought.text, essay_term(y, TERM_SCORE), beta.text);
    else
        essay_say(y, "c2",
                  "%s: a nat of drift bought %s of %sscore and cost %s, and "
                  "were scores normal, drift would pay up to %s.",
                  lead, bought.text, essay_term(y, TERM_SCORE), beta.text,
                  STAT("c2.kl_at_gaussian_optimum", FORM_NATS));
    essay_deny(y, "c2",
               "The price is not too low: a nat of drift bought %s of %sscore "
               "and cost %s.",
               STAT("c2", FORM_PLAIN), essay_term(y, TERM_SCORE),
               STAT("c2.beta", FORM_PLAIN));
}

void essay_penalty(struct essay *y)
{
    open_side(y, "(c) Why the penalty does not stop it", "(c) The penalty",
              ESSAY_LEDGER | ESSAY_PRICE);
    essay_tell(y, "For each token the penalty charges beta times the "
                  "log-ratio, its log-probability under the policy minus that "
                  "under the reference: a price, not a wall.");
    essay_say(y, "ledger",
              "Most tokens pay little: %s of the KL lies on the %s "
              "behind a sentence's end, where the choice is to stop or to go "
              "on.",
              STAT("ledger.sentence_end", FORM_PERCENT),
              STAT("ledger.tokens_at_sentence_end", FORM_PERCENT));
    essay_say(y, "length_price S2a",
              "Length as such is nearly free: to be %s as long by stopping "
              "less readily takes %s, of %s that were spent.",
              STAT("S2a", FORM_TIMES), STAT("length_price", FORM_NATS),
              STAT("length_price.kl", FORM_NATS));
    bool is_weak = essay_say(
        y, "c1",
        "The penalty takes back only %s of the score's push on length.",
        STAT("c1", FORM_PERCENT));
    essay_deny(y, "c1",
               "It is no light charge: the penalty takes back %s of the "
               "score's push on length.",
               STAT("c1", FORM_PERCENT));
    tell_price(y, is_weak);
    essay_say(y, "c3 S3p",
              "So the penalty acts, and did not prevent the drift.");
}
