/* Two changes: why these, what they should do, what they did; and which
 * checkpoint to ship until then. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/essay_internal.h"

#define SEEDS_FOR_CAUSE 3

/* How an effect is told, and what none would be. */
static const struct {
    const char *key, *what;
    enum essay_form form;
    double none;
} told[REMEDY_MEASURES] = {
    [REMEDY_RM] = {"rm", "the score by %s", FORM_SIGNED, 0},
    [REMEDY_HUMAN] = {"human", "the rate at which people prefer it by %s",
                      FORM_SIGNED_POINTS, 0},
    [REMEDY_LENGTH] = {"length", "the length to %s", FORM_TIMES, 1},
    [REMEDY_KL] = {"kl", "the KL by %s", FORM_SIGNED_NATS, 0},
};
/* Cost is told in the table alone. */
#define TOLD REMEDY_COST

static const struct estimate *effect(const struct remedy *r, size_t m,
                                     bool is_observed)
{
    return is_observed ? &r->effect[m].observed : &r->effect[m].predicted;
}

/* Effects whose interval excludes none; the others are no prediction, nor is a
 * change of a rate by more than all of it. */
static size_t list_clear(size_t have[TOLD], const struct remedy *r,
                         bool is_observed)
{
    size_t n = 0;
    for (size_t m = 0; m < TOLD; m++) {
        const struct estimate *e = effect(r, m, is_observed);
        bool is_rate = told[m].form == FORM_SIGNED_POINTS;
        if (isfinite(e->estimate) && !(is_rate && fabs(e->estimate) > 1) &&
            !(e->low <= told[m].none && e->high >= told[m].none))
            have[n++] = m;
    }
    return n;
}

/* "the score by -0.9, the length to 0.6 times and the KL by -3 nats", with
 * marks; how many effects are there. */
static size_t list_effects(struct essay *y, struct buf *out,
                           const struct remedy *r, size_t which,
                           bool is_observed)
{
    size_t have[TOLD], n = list_clear(have, r, is_observed);
    for (size_t i = 0; i < n; i++) {
        const size_t m = have[i];
        char ref[48], note[96];
        (void)snprintf(ref, sizeof ref, "remedy-%zu.%s%s", which + 1,
                       told[m].key, is_observed ? "-observed" : "");
        (void)snprintf(note, sizeof note, "%s, %s%s", r->id, told[m].key,
                       is_observed ? " observed by plumb whatif"
                                   : " predicted from this run, 90 % interval");
        struct essay_mark mark =
            essay_value(y, ref, note, effect(r, m, is_observed), told[m].form);
        buf_puts(out, i == 0 ? "" : i + 1 == n ? " and " : ", ");
        const char *gap = strstr(told[m].what, "%s");
        buf_append(out, told[m].what, (size_t)(gap - told[m].what));
        buf_puts(out, mark.text);
        buf_puts(out, gap + 2);
    }
    return n;
}

static void tell_prediction(struct essay *y, const struct remedy *r, size_t i)
{
    struct buf list;
    bool is_predicted = false;
    for (size_t m = 0; m < TOLD; m++)
        is_predicted =
            is_predicted || isfinite(r->effect[m].predicted.estimate);
    buf_init(&list, 1 << 13);
    if (!is_predicted)
        essay_advise(y, "What it would change, this run cannot say.");
    else if (list_effects(y, &list, r, i, false) > 0 && list.code == OK)
        essay_advise(y, "By this run's own numbers it should change %s.",
                     buf_text(&list));
    else
        essay_advise(y, "By this run's own numbers its effects are not told "
                        "from none.");
    buf_free(&list);
}

/* How many of the effects that were observed lie where they were predicted. */
static void tell_inside(struct essay *y, const struct remedy *r, size_t i)
{
    struct estimate in = {0, (double)NAN, (double)NAN, 0}, all = in;
    char ref[48], of[48];
    for (size_t m = 0; m < REMEDY_MEASURES; m++) {
        const struct remedy_effect *x = &r->effect[m];
        if (!isfinite(x->observed.estimate) || !isfinite(x->predicted.estimate))
            continue;
        all.estimate++;
        in.estimate += x->is_inside;
    }
    if (all.estimate == 0)
        return;
    (void)snprintf(ref, sizeof ref, "remedy-%zu.inside", i + 1);
    (void)snprintf(of, sizeof of, "remedy-%zu.predicted", i + 1);
    struct essay_mark inside = essay_value(
        y, ref, "observed in the predicted interval", &in, FORM_COUNT);
    struct essay_mark any =
        essay_value(y, of, "predicted and observed", &all, FORM_COUNT);
    essay_advise(y, "Of its %s predictions %s held.", any.text, inside.text);
}

static void tell_observed(struct essay *y, const struct remedy *r, size_t i)
{
    const struct estimate seeds = {(double)r->seeds, (double)NAN, (double)NAN,
                                   0};
    bool is_cause = r->claim != NULL && strcmp(r->claim, "caused by") == 0 &&
                    r->seeds >= SEEDS_FOR_CAUSE;
    bool is_seen = r->claim != NULL && strcmp(r->claim, "consistent with") == 0;
    struct buf list;
    char ref[48];
    if (r->seeds == 0)
        return;
    (void)snprintf(ref, sizeof ref, "remedy-%zu.seeds", i + 1);
    struct essay_mark n =
        essay_value(y, ref, "seeds of the re-run", &seeds, FORM_COUNT);
    buf_init(&list, 1 << 13);
    if (list_effects(y, &list, r, i, true) == 0)
        essay_advise(y,
                     "Run again with %s seed%s, it changed nothing beyond "
                     "chance.",
                     n.text, r->seeds == 1 ? "" : "s");
    else if (list.code == OK)
        essay_advise(
            y, "Run again with %s seed%s, it changed %s%s.", n.text,
            r->seeds == 1 ? "" : "s", buf_text(&list),
            is_cause ? "; the effect that it is meant for is caused by this "
                       "change"
            : is_seen
                ? ", which is consistent with the explanation"
                : ", which does not show the effect that it is meant for");
    buf_free(&list);
    tell_inside(y, r, i);
}

static const char *changes_title(enum remedy_purpose p)
{
    switch (p) {
    case REMEDY_REPAIR:
        break;
    case REMEDY_CHECK:
        return "What could be tried";
    case REMEDY_MEASURE:
        return "What would decide it";
    }
    return "Two changes";
}

/* A command that would be cut is none. */
static bool fits(const char *command)
{
    return command[0] != '\0' && strlen(command) < sizeof(struct essay_clean);
}

static void tell_change(struct essay *y, size_t i)
{
    static const char *const head[] = {"One", "The other"};
    const struct remedy *r = &y->d->remedy[i];
    bool is_question = r->purpose == REMEDY_MEASURE;
    essay_advise(y, "%s is to %s (%s %s).", head[i > 0],
                 essay_clean(r->title).text, is_question ? "about" : "against",
                 essay_clean(r->against).text);
    if (is_question && fits(r->command))
        essay_advise(y,
                     r->how == REMEDY_SHELL  ? "It is done by `%s`."
                     : r->how == REMEDY_FLAG ? "It is written with `%s`."
                                             : "How: %s.",
                     r->how == REMEDY_WORDS ? essay_clause(r->command).text
                                            : essay_clean(r->command).text);
    if (!is_question)
        tell_prediction(y, r, i);
    if (r->tradeoff[0] != '\0')
        essay_advise(
            y, "The price: %s.",
            essay_quote(y, i == 0 ? "remedy-1" : "remedy-2", r->tradeoff).text);
    if (!is_question)
        tell_observed(y, r, i);
}

void essay_changes(struct essay *y)
{
    const struct remedy *first = &y->d->remedy[0];
    bool is_run = false;
    for (size_t i = 0; i < REMEDIES && i < y->d->n_remedies; i++) {
        essay_open(y, i > 0 ? NULL : changes_title(first->purpose),
                   ESSAY_NO_FIGURE);
        tell_change(y, i);
        is_run = is_run || y->d->remedy[i].seeds > 0;
    }
    if (y->d->n_remedies > 0 && !is_run && fits(first->verify))
        essay_advise(y, "What they really do, this tells: `%s`.",
                     essay_clean(first->verify).text);
}

/* ---- the checkpoint ----------------------------------------------------- */

void essay_shipping(struct essay *y)
{
    const struct ship *s = &y->d->ship;
    const struct estimate at = {s->chosen.iteration, (double)NAN, (double)NAN,
                                0};
    const struct estimate given = {s->score_given_up, (double)NAN, (double)NAN,
                                   s->last.score.n};
    essay_open(y, "What to ship", ESSAY_NO_FIGURE);
    if (s->measure == NULL) {
        essay_lack(y, "ship", "Which checkpoint to ship cannot be said: %s.",
                   essay_clause(s->row.needs).text);
        return;
    }
    if (s->is_last) {
        essay_deny(y, "ship",
                   "The last checkpoint can be shipped: judged by %s, none "
                   "with less drift is as good.",
                   s->judge);
        return;
    }
    /* People's measures are rates: a difference is one of percentages. */
    bool is_rate = strcmp(s->measure, "human_win_rate") == 0 ||
                   strcmp(s->measure, "votes") == 0;
    bool is_start = s->chosen.iteration == 0;
    struct essay_mark when =
        essay_value(y, "ship.iteration", "iteration of the checkpoint to ship",
                    &at, FORM_COUNT);
    char name[900];
    (void)snprintf(name, sizeof name, "%s%s",
                   is_start ? "the model that training began with"
                            : "the checkpoint of iteration ",
                   is_start ? "" : when.text);
    essay_say(y, "ship",
              "%s %s: judged by %s it is better than the last checkpoint by "
              "%s%s, and of those not told apart from the best it moved least.",
              y->d->verdict == DIAGNOSIS_HEALTHY ? "Ship" : "Until then ship",
              name, s->judge,
              essay_value(
                  y, "ship.judged", "judged there minus at the last checkpoint",
                  &s->row.e, is_rate ? FORM_INTERVAL_POINTS : FORM_INTERVAL)
                  .text,
              is_rate ? essay_term(y, TERM_POINTS) : "");
    essay_say(y, "ship", "That gives up %s of %sscore.",
              essay_value(y, "ship.score",
                          "score at the last checkpoint minus there", &given,
                          FORM_PLAIN)
                  .text,
              essay_term(y, TERM_SCORE));
    essay_lack(y, "ship",
               "By least drift among what is not told apart from the best, "
               "ship %s; whether it is better than the last one is open.",
               name);
}
