/*
 * label_studio.c - Label Studio's JSON export: tasks with the annotations of
 * several people, and predictions of models.
 */
#include <stdio.h>
#include <string.h>

#include "import/people.h"
#include "import/people_readers.h"

/* A task at hand. */
struct task {
    struct people *p;
    struct people_pair pair;
    const char *field[2]; // what the replies are called in the data
};

/* ---- one annotation ----------------------------------------------------- */

/* The word of a choice: of value.selected or of value.choices. */
static const char *word_of(const struct value *result)
{
    const struct value *value = value_get(result, "value");
    const char *word = value_text(value_get(value, "selected"));
    return word != NULL ? word : value_text(value_get(value, "choices"));
}

/* What an annotation's results say; a win that stays NaN is none. */
static enum status read_results(struct people_verdict *v, const struct task *t,
                                const struct value *list, struct err *err)
{
    const char *const model[2] = {t->pair.side[0].model, t->pair.side[1].model};
    if (list == NULL || list->kind != VALUE_LIST)
        return OK;
    for (const struct value *x = list->first; x != NULL; x = x->next) {
        const char *word = word_of(x);
        if (word == NULL) {
            const struct value *text = value_get(value_get(x, "value"), "text");
            TRY(reader_text(&v->rationale, t->p->r, text, err));
            continue;
        }
        if (people_word(v, word, model) || people_word(v, word, t->field))
            TRY(people_note(t->p, "annotations.result.value", "overall", NULL,
                            NULL, err));
        else
            TRY(people_note(t->p, "annotations.result.value", NULL, NULL,
                            "a choice that is no side and no tie", err));
    }
    return OK;
}

/* Who it was: a number, or an object with one and an address, which is not
 * taken. */
static enum status read_judge(const char **out, struct people *p,
                              const struct value *who, struct err *err)
{
    char text[32];
    const struct value *id = value_get(who, "id");
    int64_t n = value_int(id != NULL ? id : who);
    if (n == VALUE_NO_INT)
        return reader_text(out, p->r, id != NULL ? id : who, err);
    int len = snprintf(text, sizeof text, "%lld", (long long)n);
    return arena_text(out, &p->r->arena, text, (size_t)len, err);
}

/* The place of an annotation among those of one person on this task. */
static enum status count_visits(int64_t *out, struct people *p,
                                const struct value *first,
                                const struct value *annotation,
                                const char *judge, struct err *err)
{
    *out = 1;
    for (const struct value *v = first; v != annotation; v = v->next) {
        const char *other = NULL;
        const struct value *cancelled = value_get(v, "was_cancelled");
        TRY(read_judge(&other, p, value_get(v, "completed_by"), err));
        bool counts = cancelled == NULL || cancelled->number == 0;
        *out += counts && judge != NULL && other != NULL &&
                strcmp(judge, other) == 0;
    }
    return OK;
}

static enum status put_annotation(struct task *t, const struct value *first,
                                  const struct value *annotation,
                                  struct err *err)
{
    struct people *p = t->p;
    struct people_verdict v;
    const struct value *cancelled = value_get(annotation, "was_cancelled");
    if (cancelled != NULL && cancelled->kind == VALUE_BOOL &&
        cancelled->number != 0)
        return people_skip(p, "an annotation that was cancelled", err);
    people_verdict_init(&v);
    v.kind = JUDGE_HUMAN;
    v.left = 0;
    TRY(read_judge(&v.judge, p, value_get(annotation, "completed_by"), err));
    TRY(count_visits(&v.visit, p, first, annotation, v.judge, err));
    TRY(read_results(&v, t, value_get(annotation, "result"), err));
    if (v.win != v.win)
        return people_skip(p,
                           "an annotation without a choice: the tool's "
                           "pairwise has no tie",
                           err);
    TRY(people_note(p, "annotations.completed_by", "judge", NULL, NULL, err));
    return people_put(p, &t->pair, &v, err);
}

static enum status
put_prediction(struct task *t, const struct value *prediction, struct err *err)
{
    struct people_verdict v;
    people_verdict_init(&v);
    v.kind = JUDGE_MODEL;
    v.left = 0;
    TRY(reader_text(&v.judge, t->p->r, value_get(prediction, "model_version"),
                    err));
    TRY(read_results(&v, t, value_get(prediction, "result"), err));
    if (v.win != v.win)
        return people_skip(t->p, "a prediction without a choice", err);
    return people_put(t->p, &t->pair, &v, err);
}

/* ---- a task ------------------------------------------------------------- */

static enum status take_task(struct people *p, const struct value *row,
                             struct err *err)
{
    static const char *const ids[] = {"id", NULL};
    struct task t = {.p = p};
    const struct value *data = value_get(row, "data");
    if (data == NULL || data->kind != VALUE_OBJECT)
        return err_set(err, ERR_FORMAT, "a task without \"data\"");
    people_pair_init(&t.pair);
    TRY(people_text(&t.pair.pair_id, p, row, "pair_id", ids, err));
    TRY(people_sides(&t.pair, t.field, p, data, err));
    const struct value *list = value_get(row, "annotations");
    if (list == NULL)
        list = value_get(row, "completions"); // before version 1.0
    if (list != NULL && list->kind == VALUE_LIST)
        for (const struct value *v = list->first; v != NULL; v = v->next)
            TRY(put_annotation(&t, list->first, v, err));
    else
        TRY(people_skip(p, "a task that nobody annotated", err));
    list = value_get(row, "predictions");
    if (list != NULL && list->kind == VALUE_LIST)
        for (const struct value *v = list->first; v != NULL; v = v->next)
            if (v->kind == VALUE_OBJECT)
                TRY(put_prediction(&t, v, err));
    return OK;
}

double label_studio_sniff(const struct head *h)
{
    static const char *const names[] = {"data", "annotations"};
    static const char *const more[] = {"predictions", "id", "created_at",
                                       "project"};
    static const char *const old[] = {"data", "completions"};
    if (sniff_count(h, names, 2) == 2)
        return sniff_count(h, more, 4) > 0 ? 0.95 : 0.7;
    return sniff_count(h, old, 2) == 2 ? 0.7 : 0;
}

enum status label_studio_read(struct reader *r, struct err *err)
{
    struct people p = {.take = take_task};
    return people_read(&p, r, err);
}
