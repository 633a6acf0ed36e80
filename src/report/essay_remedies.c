/* Two changes: why these, what they should do, what they did; and which
 * checkpoint to ship until then. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/essay_internal.h"

#define SEEDS_FOR_CAUSE 3

/* How an effect is told. */
static const struct {
    const char *key, *what;
    enum essay_form form;
} told[REMEDY_MEASURES] = {
    [REMEDY_RM] = {"rm", "the score by %s", FORM_SIGNED},
    [REMEDY_HUMAN] = {"human", "the share of pairs that people prefer by %s",
                      FORM_POINTS},
    [REMEDY_LENGTH] = {"length", "the length to %s", FORM_TIMES},
    [REMEDY_KL] = {"kl", "the KL by %s", FORM_NATS},
    [REMEDY_COST] = {"cost", "the cost of training to %s", FORM_TIMES},
};

/* "the score by -0.9, the length to 0.6 times and the KL by -3 nats", with
 * marks; how many effects are there. */
static size_t list_effects(struct essay *y, struct buf *out,
                           const struct remedy *r, size_t which,
                           bool is_observed)
{
    size_t have[REMEDY_MEASURES], n = 0;
    for (size_t m = 0; m < REMEDY_MEASURES; m++) {
        const struct remedy_effect *x = &r->effect[m];
        const struct estimate *e = is_observed ? &x->observed : &x->predicted;
        if (isfinite(e->estimate) && !(is_observed && m == REMEDY_COST))
            have[n++] = m;
    }
    for (size_t i = 0; i < n; i++) {
        const size_t m = have[i];
        const struct remedy_effect *x = &r->effect[m];
        const struct estimate *e = is_observed ? &x->observed : &x->predicted;
        char ref[48], note[96];
        (void)snprintf(ref, sizeof ref, "remedy-%zu.%s%s", which + 1,
                       told[m].key, is_observed ? "-observed" : "");
        (void)snprintf(note, sizeof note, "%s, %s%s", r->id, told[m].key,
                       is_observed ? " observed by plumb whatif"
                                   : " predicted from this run, 90 % interval");
        struct essay_mark mark = essay_value(y, ref, note, e, told[m].form);
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
    buf_init(&list, 1 << 13);
    if (list_effects(y, &list, r, i, false) > 0 && list.code == OK)
        essay_advise(y, "By this run's own numbers it should change %s.",
                     buf_text(&list));
    else if (r->missing[0] != '\0')
        essay_advise(y, "What it would do cannot be computed here: %s.",
                     essay_quote(y, "remedy", r->missing).text);
    buf_free(&list);
}

/* How many of the effects that were observed lie where they were predicted. */
static void tell_observed(struct essay *y, const struct remedy *r, size_t i)
{
    struct buf list;
    const struct estimate seeds = {(double)r->seeds, (double)NAN, (double)NAN,
                                   0};
    char ref[48];
    if (r->seeds == 0) {
        if (r->command[0] != '\0')
            essay_advise(y, "Whether it does, this tells: `%s`.",
                         essay_clean(r->command).text);
        return;
    }
    (void)snprintf(ref, sizeof ref, "remedy-%zu.seeds", i + 1);
    struct essay_mark n =
        essay_value(y, ref, "seeds of the re-run", &seeds, FORM_COUNT);
    buf_init(&list, 1 << 13);
    size_t seen = list_effects(y, &list, r, i, true), inside = 0;
    for (size_t m = 0; m < REMEDY_MEASURES; m++)
        inside += r->effect[m].is_inside;
    bool is_cause = r->claim != NULL && strcmp(r->claim, "caused by") == 0 &&
                    r->seeds >= SEEDS_FOR_CAUSE;
    bool is_not = r->claim == NULL || strcmp(r->claim, "not shown") == 0;
    if (seen > 0 && list.code == OK)
        essay_advise(y, "Run again with %s seed%s, it did change %s%s.", n.text,
                     r->seeds == 1 ? "" : "s", buf_text(&list),
                     is_cause ? ", and the difference is caused by this change"
                     : is_not ? ", which shows no effect beyond chance"
                              : ", which is consistent with the explanation "
                                "and, with so few seeds, no more");
    buf_free(&list);
    const struct estimate in = {(double)inside, (double)NAN, (double)NAN, seen};
    (void)snprintf(ref, sizeof ref, "remedy-%zu.inside", i + 1);
    if (seen > 0 && inside == 0)
        essay_advise(y, "None of that lies where it was predicted.");
    else if (seen > 0)
        essay_advise(y, "Of these numbers %s lie where they were predicted.",
                     essay_value(y, ref, "observed in the predicted interval",
                                 &in, FORM_COUNT)
                         .text);
}

void essay_changes(struct essay *y)
{
    static const char *const head[] = {"One", "The other"};
    for (size_t i = 0; i < REMEDIES; i++) {
        const struct remedy *r = &y->d->remedy[i];
        if (r->id == NULL)
            continue;
        essay_open(y,
                   i > 0                          ? NULL
                   : r->purpose == REMEDY_MEASURE ? "What would decide it"
                   : r->purpose == REMEDY_CHECK   ? "What could be tried"
                                                  : "Two changes",
                   ESSAY_NO_FIGURE);
        essay_advise(
            y, "%s, against %s, is to %s: %s.", head[i > 0],
            essay_clean(r->against).text, essay_clean(r->title).text,
            essay_quote(y, i == 0 ? "remedy-1" : "remedy-2", r->why).text);
        if (r->purpose != REMEDY_MEASURE)
            tell_prediction(y, r, i);
        if (r->tradeoff[0] != '\0')
            essay_advise(
                y, "The price: %s.",
                essay_quote(y, i == 0 ? "remedy-1" : "remedy-2", r->tradeoff)
                    .text);
        if (r->purpose != REMEDY_MEASURE)
            tell_observed(y, r, i);
    }
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
                   essay_quote(y, "ship", s->row.needs).text);
        return;
    }
    if (s->chosen.iteration == s->last.iteration) {
        essay_deny(y, "ship",
                   "The last checkpoint can be shipped: judged by %s, none "
                   "with less drift is as good.",
                   s->judge);
        return;
    }
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
              "%s, and of all that are not told apart from the best it has "
              "moved least. That gives up %s of the reward model's score.",
              y->d->verdict == DIAGNOSIS_HEALTHY ? "Ship" : "Until then ship",
              name, s->judge,
              essay_value(y, "ship.judged",
                          "judged there minus at the last checkpoint",
                          &s->row.e, FORM_INTERVAL)
                  .text,
              essay_value(y, "ship.score",
                          "score at the last checkpoint minus there", &given,
                          FORM_PLAIN)
                  .text);
    essay_lack(y, "ship",
               "By least drift among what is not told apart from the best, "
               "ship %s; whether it is better than the last one is open.",
               name);
}
