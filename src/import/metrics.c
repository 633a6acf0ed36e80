/*
 * metrics.c - step-level values of whatever trainer, as objects or as a table:
 * a history exported from a tracker, a log of one's own.
 */
#include <string.h>

#include "import/quantities.h"
#include "import/readers.h"

/* What the step is called; the trainer's own goes before a tracker's, which
 * counts its calls. */
static const char *const steps[] = {
    "train/global_step",
    "trainer/global_step",
    "global_step",
    "step",
    "Step",
    "_step",
};

#define N_STEPS (sizeof steps / sizeof *steps)

static bool is_step(const char *key)
{
    for (size_t i = 0; i < N_STEPS; i++)
        if (strcmp(steps[i], key) == 0)
            return true;
    return false;
}

/* A tracker's own: "_runtime", and the bounds of a curve in a panel's table. */
static bool is_of_tracker(const char *key)
{
    size_t len = strlen(key);
    return key[0] == '_' || (len > 5 && (strcmp(key + len - 5, "__MIN") == 0 ||
                                         strcmp(key + len - 5, "__MAX") == 0));
}

/* "train/reward" of "run-17 - train/reward". */
static const char *name_of(const char *key)
{
    const char *at;
    while ((at = strstr(key, " - ")) != NULL && at[3] != '\0')
        key = at + 3;
    return key;
}

/* ---- telling ------------------------------------------------------------ */

/* Numbers beside a step, and nothing that is a text. */
static double judge(size_t has_step, size_t numbers, size_t texts)
{
    return has_step > 0 && numbers > 0 && texts == 0 ? 0.25 : 0;
}

double metrics_sniff_jsonl(const struct head *h)
{
    size_t numbers = 0, texts = 0;
    if (h->n_rows == 0 || h->row[0].kind != VALUE_OBJECT)
        return 0;
    for (const struct value *v = h->row[0].first; v != NULL; v = v->next) {
        bool is_number = value_is_number(v);
        if (is_step(v->key) || is_of_tracker(v->key))
            continue;
        numbers += is_number;
        texts += !is_number && v->kind == VALUE_TEXT;
    }
    return judge(sniff_count(h, steps, N_STEPS), numbers, texts);
}

double metrics_sniff_csv(const struct head *h)
{
    size_t numbers = 0, texts = 0;
    for (size_t i = 0; i < h->n_columns; i++) {
        double x;
        const char *cell = h->cell[i];
        if (cell == NULL || cell[0] == '\0' || is_step(h->column[i]) ||
            is_of_tracker(h->column[i]))
            continue;
        bool is_number =
            value_text_number(&x, cell) || value_text_bool(&x, cell);
        numbers += is_number;
        texts += !is_number;
    }
    return judge(sniff_count(h, steps, N_STEPS), numbers, texts);
}

/* ---- reading ------------------------------------------------------------ */

static enum status take_row(struct reader *r, void *ctx,
                            const struct value *row, size_t line,
                            struct err *err)
{
    int64_t step = -1;
    (void)ctx;
    (void)line;
    row = value_only(row);
    if (row == NULL || row->kind != VALUE_OBJECT)
        return err_set(err, ERR_FORMAT, "a row that is no object");
    for (size_t i = 0; i < N_STEPS && step < 0; i++)
        step = value_int(value_get(row, steps[i]));
    if (step < 0)
        return sink_skip(r->sink, "values without a step", err);
    for (const struct value *v = row->first; v != NULL; v = v->next) {
        const char *name = name_of(v->key);
        if (v->kind == VALUE_NULL || is_step(v->key) || is_of_tracker(v->key))
            continue;
        /* Nobody's name is told without the folder that a tracker made. */
        if (r->sink->trainer[0] == '\0' && strncmp(name, "train/", 6) == 0)
            name += 6;
        if (value_is_number(v))
            TRY(sink_put_metric(r->sink, step, name, value_number(v), err));
        else
            TRY(notes_field(&r->sink->notes, v->key, NULL, NULL,
                            "a metric that is no number", 1, err));
    }
    return OK;
}

static enum status add_name(struct names *names, const char *key,
                            struct err *err)
{
    size_t index;
    return is_step(key) || is_of_tracker(key)
               ? OK
               : names_add(names, &index, name_of(key), err);
}

/* Whose metrics they are, by their names; unless that was said. */
static enum status guess_trainer(struct reader *r, struct err *err)
{
    struct head h;
    struct names names = {.text = NULL};
    enum status status = OK;
    if (r->sink->trainer[0] != '\0')
        return OK;
    TRY(sniff_open(&h, r->path, err));
    for (size_t i = 0; i < h.n_rows; i++)
        for (const struct value *v = h.row[i].first;
             v != NULL && h.row[i].kind == VALUE_OBJECT; v = v->next)
            TRY_DONE(add_name(&names, v->key, err));
    for (size_t i = 0; i < h.n_columns; i++)
        TRY_DONE(add_name(&names, h.column[i], err));
    r->sink->trainer = quantities_guess(&names);
done:
    names_free(&names);
    sniff_close(&h);
    return status;
}

enum status metrics_read_jsonl(struct reader *r, struct err *err)
{
    TRY(guess_trainer(r, err));
    return reader_rows(r, take_row, NULL, err);
}

enum status metrics_read_csv(struct reader *r, struct err *err)
{
    TRY(guess_trainer(r, err));
    return reader_table(r, take_row, NULL, err);
}
