/* What the verdict makes of it all: the order of paragraphs, the title, and
 * what is said of a healthy, a broken and an undecided run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/essay_internal.h"

#define STAT(ref, form) essay_stat(y, ref, form).text

/* What a rival says, in a title and in a sentence; of a bug what it spoils. */
struct plot {
    const char *id, *title, *how, *spoils;
};
static const struct plot plots[] = {
    {"R0", "Nothing that was looked for is wrong with this run",
     "the score rose, and people agree", NULL},
    {"R1",
     "The reward model pays for length beyond what people asked, and the "
     "policy collects",
     "the reward model likes length more than those it learnt from do, so "
     "length is a way to score that nobody wanted",
     NULL},
    {"R2",
     "People ranked longer replies higher, the reward model learnt it, "
     "and the policy delivers",
     "those who ranked liked length, the reward model learnt that, and the "
     "policy serves it",
     NULL},
    {"R3", "Drifting is cheap, so the policy drifts",
     "the penalty is right and its coefficient too low to hold the policy "
     "back",
     NULL},
    {"R4", "The KL penalty is written into the run and does not pull",
     "the penalty's gradient is not that of the KL",
     "everything about the penalty: there is none that acts. What was measured "
     "of replies, their scores and votes, stands"},
    {"R5", "The price of drifting fell while the policy drifted",
     "the coefficient, or what it is worth in units of reward, went down "
     "during training, so that the same drift became cheaper",
     NULL},
    {"R6", "The value model lags, and what it misses pushes the policy",
     "advantages are returns minus what the value model expected, and it "
     "expects wrongly in a way that goes with length",
     NULL},
    {"R7", "Replies were drawn at another temperature than was logged",
     "the tokens come from a flatter or steeper distribution than the one "
     "whose probabilities were recorded",
     "every logged log-probability: ratios, the KL and the penalty are about a "
     "policy that did not write the replies"},
    {"R8", "Replies do not end as they should",
     "the token that ends a reply is missing, cut off or not trained",
     "lengths, the place where the score is paid, and all that goes with "
     "stopping"},
    {"R9", "The reference is over-fitted, so every step away looks far",
     "the frozen model finds anything but its training replies improbable, so "
     "KL to it grows with any change",
     NULL},
    {"R10", "The KL grows because replies grow, and for no other reason",
     "KL is summed over tokens; with the same KL a token, longer replies have "
     "more of it",
     NULL},
    {"R11", "The way the loss is added up makes replies longer",
     "averaging the loss within each reply makes a long bad reply cheaper "
     "token by token than a short one",
     NULL},
    {"R12", "The prompts changed, and with them the numbers",
     "later prompts are not those of the start, or not those held out, so that "
     "a change of the numbers need not be one of the policy",
     NULL},
    {"R13", "The spot-check is noise",
     "those who judge do not even agree with themselves, so that their votes "
     "carry nothing",
     NULL},
    {"R14", "The reward model is too weak to rank what the policy writes",
     "the reward model orders too few held-out pairs rightly to guide a policy",
     NULL},
    {"R15", "Sampler and trainer leave out different tokens",
     "a token that is never drawn still has probability in training, or the "
     "other way round",
     "every logged log-probability: the ratio, the KL and with it the penalty "
     "have an error that grows as the policy moves"},
};

static const struct plot *plot_of(const char *id)
{
    for (size_t i = 0; id != NULL && i < sizeof plots / sizeof *plots; i++)
        if (strcmp(plots[i].id, id) == 0)
            return &plots[i];
    return &plots[0];
}

/* A count under a reference of its own. */
static struct essay_mark count(struct essay *y, const char *ref,
                               const char *what, size_t n)
{
    const struct estimate e = {(double)n, (double)NAN, (double)NAN, 0};
    return essay_value(y, ref, what, &e, FORM_COUNT);
}

static struct essay_mark signs(struct essay *y, const struct rival *r,
                               const char *key, const char *what, size_t n)
{
    char ref[32];
    (void)snprintf(ref, sizeof ref, "%s.%s", r->id, key);
    return count(y, ref, what, n);
}

/* "N of its M signs are seen and none speaks against it" */
static void tell_rank(struct essay *y, const char *lead)
{
    const struct rival *r = &y->d->rival[0];
    char what[160];
    (void)snprintf(what, sizeof what, "%s (%s), signs seen", r->id, r->name);
    struct essay_mark seen = signs(y, r, "seen", what, r->supported);
    (void)snprintf(what, sizeof what, "%s (%s), signs looked for", r->id,
                   r->name);
    struct essay_mark all = signs(y, r, "signs", what, r->n_seen);
    essay_say(y, r->id,
              "%s %s (%s): %s. Of its %s sign%s %s %s seen and none speaks "
              "against it.",
              lead,
              y->d->verdict == DIAGNOSIS_BUG ? "one cause"
                                             : "consistent with one "
                                               "explanation",
              r->id, plot_of(r->id)->how, all.text, r->n_seen == 1 ? "" : "s",
              seen.text, r->supported == 1 ? "is" : "are");
}

/* ---- healthy ------------------------------------------------------------ */

static void tell_absent(struct essay *y)
{
    essay_open(y, "What was looked for and not found", ESSAY_NO_FIGURE);
    essay_deny(y, "S2b",
               "Blind judges do not call the policy's replies less %s than a "
               "placebo's: the excess is %s.",
               essay_mark_of(y), STAT("S2b", FORM_INTERVAL_POINTS));
    essay_deny(y, "worse",
               "Nor do they prefer the reference: the policy wins %s of their "
               "pairs.",
               STAT("worse", FORM_INTERVAL_PERCENT));
    essay_deny(y, "G",
               "The reward model keeps its promises: what it expects the "
               "policy to win exceeds what people grant by %s.",
               STAT("G", FORM_INTERVAL_POINTS));
    essay_deny(y, "a2", "Of the score's gain %s goes with length.",
               STAT("a2", FORM_INTERVAL_PERCENT));
    essay_deny(y, "a3",
               "What was meant has not fallen while the score rose: it changed "
               "by %s (%s).",
               STAT("a3", FORM_INTERVAL),
               essay_clean(essay_find(y, "a3").row != NULL
                               ? essay_find(y, "a3").row->unit
                               : "")
                   .text);
    essay_deny(y, "edit_pad",
               "A stock sentence that says nothing new brings %s of score.",
               STAT("edit_pad", FORM_INTERVAL));
    essay_deny(y, "b1",
               "The gradient does not push towards length (a covariance of %s "
               "tokens times score).",
               STAT("b1", FORM_INTERVAL));
    essay_deny(y, "c2",
               "And the price of drifting is not too low: a nat bought %s of "
               "score.",
               STAT("c2", FORM_INTERVAL));
}

/* ---- signs -------------------------------------------------------------- */

/* What speaks for a rival, in the rows' own words. */
static void tell_signs(struct essay *y, const struct rival *r, size_t most)
{
    for (size_t i = 0; i < r->n_seen && most > 0; i++) {
        const struct rival_seen *s = &r->seen[i];
        const struct finding *f = essay_find(y, s->sign.row).row;
        if (s->says != VERDICT_SUPPORTED || f == NULL || f->text[0] == '\0')
            continue;
        struct essay_quoted text = essay_quote(y, f->id, f->text);
        bool is_taken =
            f->verdict == VERDICT_SUPPORTED
                ? essay_say(y, f->id, "%s (%s).", essay_begin(&text), f->id)
                : essay_deny(y, f->id, "%s (%s).", essay_begin(&text), f->id);
        most -= is_taken;
    }
}

static void tell_bug(struct essay *y)
{
    const struct rival *r = &y->d->rival[0];
    const struct plot *p = plot_of(r->id);
    essay_open(y, "What is wrong", ESSAY_NO_FIGURE);
    tell_rank(y, "What the run left behind has");
    tell_signs(y, r, 4);
    if (p->spoils != NULL) {
        essay_open(y, "What it spoils", ESSAY_NO_FIGURE);
        essay_advise(y,
                     "It spoils %s. Nothing is said here about why the reward "
                     "rose or the policy drifted, since a faulty run explains "
                     "itself first: mend this, train again, then ask again.",
                     p->spoils);
    }
    if (strcmp(r->id, "R4") == 0)
        essay_formula(y);
    essay_observed(y, false);
}

/* ---- undecided ---------------------------------------------------------- */

static void tell_running(struct essay *y)
{
    essay_open(y, "Who is in the running", ESSAY_NO_FIGURE);
    size_t told = 0;
    for (size_t i = 0; i < RIVALS && told < 3; i++) {
        const struct rival *r = &y->d->rival[i];
        if (r->id == NULL || r->contradicted > 0 || r->supported == 0)
            continue;
        char what[160];
        (void)snprintf(what, sizeof what, "%s (%s), signs", r->id, r->name);
        essay_advise(
            y,
            "%s (%s): %s. Of its %s sign%s %s %s seen, %s could not be "
            "measured, and none speaks against it; more would be told "
            "by `%s`.",
            r->id, r->name, plot_of(r->id)->how,
            signs(y, r, "signs", what, r->n_seen).text,
            r->n_seen == 1 ? "" : "s",
            signs(y, r, "seen", what, r->supported).text,
            r->supported == 1 ? "is" : "are",
            signs(y, r, "open", what, r->not_measurable).text, r->experiment);
        told++;
    }
    if (told == 0)
        essay_advise(y, "Every explanation that was held against these numbers "
                        "is contradicted by some of them, or none of its signs "
                        "is there.");
}

/* ---- what is not known -------------------------------------------------- */

/* Rows that a reader would ask for, in the story's order. */
static const char *const asked[] = {
    "S1", "S2a", "S2b", "S3", "G",  "V7", "a1",
    "a2", "a3",  "b1",  "b2", "b3", "c1", "c2",
};

static void tell_missing(struct essay *y, size_t most)
{
    const char *before = "";
    for (size_t i = 0; i < sizeof asked / sizeof *asked && most > 0; i++) {
        const char *needs = essay_needs(y, asked[i]);
        const struct finding *f = essay_find(y, asked[i]).row;
        /* Rows that rest on one another have one need: it is told once. */
        if (f == NULL || needs[0] == '\0' || essay_has_told(y, asked[i]) ||
            strcmp(needs, before) == 0)
            continue;
        before = needs;
        most -= essay_lack(y, asked[i], "Open is %s, \"%s\": %s.", f->id,
                           f->claim, essay_clause(needs).text);
    }
}

static void tell_rivals(struct essay *y)
{
    size_t against = 0;
    for (size_t i = 0; i < RIVALS; i++)
        against += y->d->rival[i].contradicted > 0;
    const struct rival *r = &y->d->rival[0];
    essay_advise(
        y,
        "Of %s explanations that were held against these numbers %s are "
        "contradicted.",
        count(y, "rivals.all", "explanations in all", RIVALS).text,
        count(y, "rivals.against", "with signs against them", against).text);
    if (r->tied_with < RIVALS) {
        const struct rival *other = &y->d->rival[r->tied_with];
        essay_advise(y,
                     "%s and %s (%s) cannot be told apart by this run; `%s` "
                     "would part them.",
                     r->id, other->id, other->name, r->experiment);
    }
}

void essay_unknown(struct essay *y)
{
    essay_open(y, "What is not known", ESSAY_NO_FIGURE);
    tell_rivals(y);
    tell_missing(y, y->d->verdict == DIAGNOSIS_INCONCLUSIVE ? 8 : 3);
    bool has_rerun = false;
    for (size_t i = 0; i < REMEDIES; i++)
        has_rerun = has_rerun || y->d->remedy[i].seeds > 0;
    if (y->d->verdict == DIAGNOSIS_INCONCLUSIVE && !has_rerun) {
        essay_advise(y, "All of this is one run with one seed.");
        return;
    }
    essay_advise(
        y, has_rerun ? "All else here is one run with one seed: consistent "
                       "with the explanation, and no proof of it."
                     : "All of this is one run with one seed: consistent with "
                       "the explanation, and no proof of it. What causes "
                       "what, only training again with one change and "
                       "several seeds can tell.");
}

/* ---- the whole ---------------------------------------------------------- */

static void title(struct essay *y)
{
    const char *text = plot_of(y->d->rival[0].id)->title;
    if (y->d->verdict == DIAGNOSIS_INCONCLUSIVE)
        text = "The evidence does not decide";
    (void)snprintf(y->title, sizeof y->title, "%s", text);
}

static void tell_paradox(struct essay *y)
{
    essay_open(y, NULL, ESSAY_NO_FIGURE);
    tell_rank(y, "The reward went up, the answers got worse, and the policy "
                 "kept drifting. All three are true at once, and");
    essay_observed(y, true);
    essay_reward(y);
    essay_optimiser(y);
    essay_penalty(y);
    essay_formula(y);
}

void essay_shape(struct essay *y)
{
    title(y);
    switch (y->d->verdict) {
    case DIAGNOSIS_PARADOX:
        tell_paradox(y);
        break;
    case DIAGNOSIS_HEALTHY:
        essay_open(y, NULL, ESSAY_NO_FIGURE);
        tell_rank(y, "The numbers of this run are");
        essay_observed(y, true);
        tell_absent(y);
        break;
    case DIAGNOSIS_BUG:
        tell_bug(y);
        break;
    case DIAGNOSIS_OTHER:
        essay_open(y, NULL, ESSAY_NO_FIGURE);
        tell_rank(
            y, diagnose_leaves_paradox_open(y->d)
                   ? "Something is wrong with this run. Whether a reward was "
                     "exploited in the usual way is open, since what would "
                     "tell could not be measured. The numbers are"
                   : "Something is wrong with this run, and it is not that a "
                     "reward was exploited in the usual way. The numbers are");
        tell_signs(y, &y->d->rival[0], 4);
        essay_observed(y, true);
        essay_reward(y);
        essay_optimiser(y);
        essay_penalty(y);
        break;
    case DIAGNOSIS_INCONCLUSIVE:
        essay_observed(y, true);
        tell_running(y);
        break;
    }
    essay_changes(y);
    if (y->d->verdict != DIAGNOSIS_BUG)
        essay_shipping(y);
    essay_unknown(y);
}
