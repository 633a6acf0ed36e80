/* What the verdict makes of it all: the order of paragraphs, the title, and
 * what is said of a healthy, a broken and an undecided run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/essay_internal.h"

#define STAT(ref, form) essay_stat(y, ref, form).text

/* ---- healthy ------------------------------------------------------------ */

static void tell_absent(struct essay *y)
{
    essay_open(y, "What was looked for and not found", ESSAY_NO_FIGURE);
    essay_deny(y, "S2b",
               "Blind judges do not call the policy's replies less %s than a "
               "placebo's: the excess is %s%s.",
               essay_mark_of(y), STAT("S2b", FORM_INTERVAL_POINTS),
               essay_term(y, TERM_POINTS));
    essay_deny(y, "worse",
               "Nor do they prefer the reference: the policy wins %s of their "
               "pairs.",
               STAT("worse", FORM_INTERVAL_PERCENT));
    essay_deny(y, "G",
               "The reward model keeps its promises: what it expects the "
               "policy to win exceeds what people grant by %s%s.",
               STAT("G", FORM_INTERVAL_POINTS), essay_term(y, TERM_POINTS));
    essay_deny(y, "a2", "Of the score's gain %s goes with length.",
               STAT("a2", FORM_INTERVAL_PERCENT));
    const struct finding *judged = essay_find(y, "a3").row;
    /* Blind votes are told of above. */
    if (judged != NULL && judged->unit != NULL &&
        strncmp(judged->unit, "win rate", 8) != 0)
        essay_deny(y, "a3",
                   "What the replies are worth has not fallen while the score "
                   "rose: it changed by %s (%s).",
                   STAT("a3", FORM_INTERVAL), essay_clean(judged->unit).text);
    essay_deny(y, "edit_pad",
               "A stock sentence that says nothing new brings %s of %sscore.",
               STAT("edit_pad", FORM_INTERVAL), essay_term(y, TERM_SCORE));
    essay_deny(y, "b1",
               "The gradient does not push towards length: the covariance of "
               "length and score, net of the penalty, is %s.",
               STAT("b1", FORM_INTERVAL));
    essay_deny(y, "c2",
               "And the price of drifting is not too low: a nat bought %s of "
               "%sscore and cost %s.",
               STAT("c2", FORM_INTERVAL), essay_term(y, TERM_SCORE),
               STAT("c2.beta", FORM_PLAIN));
}

/* ---- signs -------------------------------------------------------------- */

/* Rows that a reader would ask for, in the story's order. */
static const char *const asked[] = {
    "S1", "S2a", "S2b", "S3", "G",  "V7", "a1",
    "a2", "a3",  "b1",  "b2", "b3", "c1", "c2",
};
#define N_ASKED (sizeof asked / sizeof *asked)

/* Does the story tell of this row in its own words? */
static bool is_storied(const char *row)
{
    static const char *const leads[] = {"worse",      "label_taste", "split",
                                        "edit_pad",   "edit_trim",   "ledger",
                                        "update_eos", "length_price"};
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
        if (strcmp(leads[i], row) == 0)
            return true;
    for (size_t i = 0; i < N_ASKED; i++)
        if (strcmp(asked[i], row) == 0)
            return true;
    return false;
}

/* What speaks for a rival, in the rows' own words; of what the story tells
 * itself only when `has_all`. */
static void tell_signs(struct essay *y, const struct rival *r, size_t most,
                       bool has_all)
{
    for (size_t i = 0; i < r->n_seen && most > 0; i++) {
        const struct rival_seen *s = &r->seen[i];
        const struct finding *f = essay_find(y, s->sign.row).row;
        if (s->says != VERDICT_SUPPORTED || f == NULL || f->text[0] == '\0' ||
            (!has_all && is_storied(s->sign.row)))
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
    const char *spoils = essay_rival_spoils(r->id);
    essay_open(y, "What is wrong", ESSAY_NO_FIGURE);
    essay_rival_first(y, "What the run left behind has");
    tell_signs(y, r, 4, true);
    if (spoils != NULL) {
        essay_open(y, "What it spoils", ESSAY_NO_FIGURE);
        essay_advise(y,
                     "It spoils %s. Nothing is said here about why the reward "
                     "rose or the policy drifted, since a faulty run explains "
                     "itself first: mend this, train again, then ask again.",
                     spoils);
    }
    if (strcmp(r->id, "R4") == 0)
        essay_formula(y);
    essay_observed(y, false);
}

/* ---- what is not known -------------------------------------------------- */

static void tell_missing(struct essay *y, size_t most)
{
    const char *before = "";
    for (size_t i = 0; i < N_ASKED && most > 0; i++) {
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

void essay_unknown(struct essay *y)
{
    essay_open(y, "What is not known", ESSAY_NO_FIGURE);
    essay_rivals_count(y);
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
                       "the explanation, and no proof of it. Causes are told "
                       "only by training again with one change and several "
                       "seeds.");
}

/* ---- the whole ---------------------------------------------------------- */

static void title(struct essay *y)
{
    const char *text = essay_rival_title(y->d->rival[0].id);
    if (y->e->import != NULL && strcmp(y->d->rival[0].id, "R15") == 0)
        text = "Sampling and training give tokens other probabilities";
    if (y->d->verdict == DIAGNOSIS_INCONCLUSIVE)
        text = "The evidence does not decide";
    (void)snprintf(y->title, sizeof y->title, "%s", text);
}

static void tell_paradox(struct essay *y)
{
    bool is_worse = essay_is(y, "S2b") || essay_is(y, "worse");
    char lead[160];
    (void)snprintf(lead, sizeof lead,
                   "The reward went up, the answers got %s, and the policy %s. "
                   "All three are",
                   is_worse ? "worse" : "longer",
                   essay_late(y) == LATE_RISES
                       ? "kept drifting"
                       : "drifted away from its reference");
    essay_open(y, NULL, ESSAY_NO_FIGURE);
    essay_rival_first(y, lead);
    essay_observed(y, true);
    essay_reward(y);
    essay_optimiser(y);
    essay_penalty(y);
    essay_formula(y);
}

static const char *lead_of_other(const struct essay *y)
{
    static const char *const usual[] = {"R1", "R2", "R3"};
    if (diagnose_leaves_paradox_open(y->d))
        return "Something is wrong with this run. Whether a reward was "
               "exploited in the usual way is open, since what would tell "
               "could not be measured. The numbers are";
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (strcmp(y->d->rival[0].id, usual[i]) == 0)
            return "Something is wrong with this run, though not all is seen "
                   "that goes with a reward's being exploited in the usual "
                   "way. The numbers are";
    return "Something is wrong with this run, and it is not that a reward was "
           "exploited in the usual way. The numbers are";
}

void essay_shape(struct essay *y)
{
    title(y);
    essay_source(y);
    switch (y->d->verdict) {
    case DIAGNOSIS_PARADOX:
        tell_paradox(y);
        break;
    case DIAGNOSIS_HEALTHY:
        essay_open(y, NULL, ESSAY_NO_FIGURE);
        essay_rival_first(y, "The numbers of this run are");
        essay_observed(y, true);
        tell_absent(y);
        break;
    case DIAGNOSIS_BUG:
        tell_bug(y);
        break;
    case DIAGNOSIS_OTHER:
        essay_open(y, NULL, ESSAY_NO_FIGURE);
        essay_rival_first(y, lead_of_other(y));
        tell_signs(y, &y->d->rival[0], 4, false);
        essay_observed(y, true);
        essay_reward(y);
        essay_optimiser(y);
        essay_penalty(y);
        break;
    case DIAGNOSIS_INCONCLUSIVE:
        essay_observed(y, true);
        essay_rivals_running(y);
        break;
    }
    essay_partial(y);
    if (y->d->verdict != DIAGNOSIS_INCONCLUSIVE)
        essay_rivals_beside(y);
    essay_changes(y);
    if (y->d->verdict != DIAGNOSIS_BUG)
        essay_shipping(y);
    essay_unknown(y);
}
