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
    const char *spoils = essay_rival_spoils(r->id);
    essay_open(y, "What is wrong", ESSAY_NO_FIGURE);
    essay_rival_first(y, "What the run left behind has");
    tell_signs(y, r, 4);
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
                       "the explanation, and no proof of it. What causes "
                       "what, only training again with one change and "
                       "several seeds can tell.");
}

/* ---- the whole ---------------------------------------------------------- */

static void title(struct essay *y)
{
    const char *text = essay_rival_title(y->d->rival[0].id);
    if (y->d->verdict == DIAGNOSIS_INCONCLUSIVE)
        text = "The evidence does not decide";
    (void)snprintf(y->title, sizeof y->title, "%s", text);
}

static void tell_paradox(struct essay *y)
{
    essay_open(y, NULL, ESSAY_NO_FIGURE);
    essay_rival_first(
        y, "The reward went up, the answers got worse, and the policy "
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
        essay_rival_first(y, "The numbers of this run are");
        essay_observed(y, true);
        tell_absent(y);
        break;
    case DIAGNOSIS_BUG:
        tell_bug(y);
        break;
    case DIAGNOSIS_OTHER:
        essay_open(y, NULL, ESSAY_NO_FIGURE);
        essay_rival_first(
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
        essay_rivals_running(y);
        break;
    }
    if (y->d->verdict != DIAGNOSIS_INCONCLUSIVE)
        essay_rivals_beside(y);
    essay_changes(y);
    if (y->d->verdict != DIAGNOSIS_BUG)
        essay_shipping(y);
    essay_unknown(y);
}
