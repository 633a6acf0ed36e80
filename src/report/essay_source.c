/* A run that another trainer made: whose it is, and what part of the evidence
 * tells. */
#include <math.h>
#include <string.h>

#include "diagnose/imported.h"
#include "diagnose/partial.h"
#include "report/essay_internal.h"

enum {
    TOLD_MAX = 16
};

static struct essay_mark number(struct essay *y, const char *ref,
                                const char *what, size_t n)
{
    const struct estimate e = {(double)n, (double)NAN, (double)NAN, 0};
    return essay_value(y, ref, what, &e, FORM_COUNT);
}

/* What the leads say together, before all else. */
static void tell_sentence(struct essay *y)
{
    struct buf text;
    buf_init(&text, 1 << 13);
    if (diagnose_sentence(&text, y->d, y->e) && text.code == OK) {
        struct essay_quoted all = essay_quote(y, "source", buf_text(&text));
        essay_advise(y, "%s.", essay_begin(&all));
    }
    buf_free(&text);
}

/* Is it one of what is to be measured, and told there? */
static bool is_change(const struct essay *y, const struct imported_missing *m)
{
    for (size_t i = 0; i < REMEDIES && i < y->d->n_remedies; i++)
        if (strcmp(y->d->remedy[i].title, m->wish) == 0)
            return true;
    return false;
}

void essay_source(struct essay *y)
{
    const struct imported *x = y->e->import;
    size_t known = 0;
    if (x == NULL)
        return;
    for (size_t i = 0; i < x->n_field; i++)
        known += x->field[i].to != NULL;
    essay_open(y, "Whose run this is", ESSAY_NO_FIGURE);
    tell_sentence(y);
    essay_advise(y, "This run was made by %s and imported.",
                 essay_clean(x->trainer).text);
    if (x->is_unfinished)
        essay_advise(y, "Its import was stopped before its end, so that what "
                        "follows is of a part.");
    if (x->is_damaged)
        essay_advise(y, "What was understood of its files is not known, since "
                        "import.json is damaged.");
    if (x->n_field > 0)
        essay_advise(
            y, "Of the %s fields of its files %s were understood.",
            number(y, "source.fields", "fields of the import", x->n_field).text,
            number(y, "source.known", "fields that were understood", known)
                .text);
    for (size_t i = 0; i < x->n_warning; i++)
        essay_advise(y, "Odd about them: %s.",
                     essay_quote(y, "source", x->warning[i]).text);
    if (x->n_missing > 0 && !is_change(y, &x->missing[0]))
        essay_advise(y, "What would tell more at the least cost is %s: %s.",
                     essay_clean(x->missing[0].what).text,
                     essay_clause(imported_how(&x->missing[0])).text);
    if (y->e->n_judged > 0)
        essay_advise(
            y,
            "An LLM judged replies of it in %s verdicts; that is "
            "told as what it is, and people are not spoken for.",
            number(y, "source.verdicts", "verdicts of a model", y->e->n_judged)
                .text);
}

static bool tell_lead(struct essay *y, const struct finding *f)
{
    struct essay_quoted text = essay_quote(y, f->id, f->text);
    switch (f->verdict) {
    case VERDICT_SUPPORTED:
        return essay_say(y, f->id, "%s (%s).", essay_begin(&text), f->id);
    case VERDICT_NOT_SUPPORTED:
        return essay_deny(y, f->id, "%s (%s).", essay_begin(&text), f->id);
    case VERDICT_NOT_MEASURABLE:
        return essay_lack(y, f->id, "%s, which does not decide it (%s).",
                          essay_begin(&text), f->id);
    }
    return false;
}

void essay_partial(struct essay *y)
{
    const struct leads *l = &y->d->leads;
    size_t told = 0;
    if (y->e->import == NULL)
        return;
    essay_open(y, "What part of the evidence tells", ESSAY_NO_FIGURE);
    for (size_t i = 0; i < l->n && told < TOLD_MAX; i++)
        if (partial_is_told(&l->row[i]))
            told += tell_lead(y, &l->row[i]);
    if (told > 0)
        essay_advise(y, "These are leads: each stands alone, and none decides "
                        "what went wrong.");
}
