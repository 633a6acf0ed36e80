#include <math.h>
#include <string.h>
#include <strings.h>

#include "import/readers.h"
#include "import/rowmap.h"
#include "import/trl_rewards.h"

/* ---- trainer_state.json ------------------------------------------------- */

static enum status take_entry(struct reader *r, const struct value *entry,
                              struct err *err)
{
    int64_t step = value_int(value_get(entry, "step"));
    if (entry->kind != VALUE_OBJECT || step < 0)
        return err_set(err, ERR_FORMAT,
                       "an entry of log_history without a step");
    return reader_metrics(r, step, entry, err);
}

static enum status take_state(struct reader *r, const struct value *state,
                              struct err *err)
{
    static const char *const plain[] = {"max_steps", "num_train_epochs",
                                        "train_batch_size", "logging_steps",
                                        "save_steps"};
    const struct value *history = value_get(state, "log_history");
    if (history == NULL || history->kind != VALUE_LIST)
        return err_set(err, ERR_FORMAT, "no list \"log_history\"");
    for (const struct value *e = history->first; e != NULL; e = e->next)
        TRY(take_entry(r, e, err));
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        const char *text;
        TRY(reader_text(&text, r, value_get(state, plain[i]), err));
        if (text != NULL)
            TRY(sink_put_setting(r->sink, plain[i], text, err));
    }
    return OK;
}

double trl_sniff_state(const struct head *h)
{
    if (sniff_member(h, "log_history") != NULL)
        return 0.95;
    return h->text[0] == '{' && sniff_says(h, "\"log_history\"") ? 0.8 : 0;
}

enum status trl_read_state(struct reader *r, struct err *err)
{
    struct value state;
    TRY(reader_document(&state, r, err));
    enum status status = take_state(r, &state, err);
    if (status != OK)
        (void)err_context(err, "%s:1", r->path);
    return status;
}

/* ---- completions -------------------------------------------------------- */

/*
 * completions_{step}.parquet as JSON Lines: step, prompt, completion, a column
 * of numbers for each reward function, advantage.  Texts are decoded without
 * special tokens.
 */
static const struct rule completions[] = {
    {"step", TO_STEP, "step", NULL},
    {"prompt", TO_PROMPT, "text", NULL},
    {"completion", TO_RESPONSE, "text",
     "decoded without special tokens: whether it ended cannot be told"},
    {"advantage", TO_ADVANTAGE, "standard deviations of the group", NULL},
};

#define N_COMPLETIONS (sizeof completions / sizeof *completions)

static bool is_known(const char *key)
{
    for (size_t i = 0; i < N_COMPLETIONS; i++)
        if (strcmp(completions[i].from, key) == 0)
            return true;
    return strncmp(key, "__index", 7) == 0;
}

bool trl_is_reward(const struct value *v)
{
    return !is_known(v->key) && value_is_number(v) && v->kind != VALUE_TEXT &&
           v->kind != VALUE_BOOL;
}

/* Where nothing else tells: does the name, as most functions' does? */
static bool is_called_reward(const char *key)
{
    for (; *key != '\0'; key++)
        if (strncasecmp(key, "reward", 6) == 0)
            return true;
    return false;
}

static bool any_is_called_reward(const struct value *row)
{
    for (const struct value *v = row->first; v != NULL; v = v->next)
        if (trl_is_reward(v) && is_called_reward(v->key))
            return true;
    return false;
}

/* The sum of the columns that are rewards, or are called so, or of all; their
 * names go to `taken`, those of the others to `left`. */
static double add_columns(struct buf *taken, struct buf *left, size_t *n,
                          const struct value *row, const struct trl_rewards *t)
{
    double sum = 0;
    bool by_name = any_is_called_reward(row);
    *n = 0;
    for (const struct value *v = row->first; v != NULL; v = v->next) {
        if (!trl_is_reward(v))
            continue;
        bool is_taken = t != NULL ? trl_rewards_has(t, v->key)
                                  : !by_name || is_called_reward(v->key);
        struct buf *names = is_taken ? taken : left;
        buf_printf(names, "%s%.60s", names->len > 0 ? ", " : "", v->key);
        double x = is_taken ? value_number(v) : (double)NAN;
        sum += isfinite(x) ? x : 0;
        *n += isfinite(x) ? 1 : 0;
    }
    return sum;
}

static enum status warn_of_columns(struct reader *r, const struct buf *taken,
                                   const struct buf *left, bool is_known,
                                   struct err *err)
{
    const char *why = is_known && r->rewards->logged.n > 0
                          ? "which the log has the means of"
                      : is_known ? "whose sum goes as the advantage does"
                                 : "by their names, as nothing else tells "
                                   "which numbers are rewards";
    return notes_warn(&r->sink->notes, "trl_reward_weights", 1, err,
                      "the score is the sum of %.300s, %s, with reward_weights "
                      "of 1%s%.300s; --map score=COLUMN takes one",
                      buf_text(taken), why, left->len > 0 ? "; not of " : "",
                      buf_text(left));
}

/* The reward is the weighted sum of the functions; their weights are not in the
 * table and 1 unless set. */
static enum status add_rewards(struct import_row *out, struct reader *r,
                               const struct value *row, struct err *err)
{
    struct buf taken, left;
    size_t n;
    bool is_told = trl_rewards_known(r->rewards);
    if (isfinite(out->score))
        return OK;
    buf_init(&taken, IMPORT_LINE_MAX);
    buf_init(&left, IMPORT_LINE_MAX);
    double sum =
        add_columns(&taken, &left, &n, row, is_told ? r->rewards : NULL);
    /* None of them: the log is of another run. */
    if (is_told && taken.len == 0) {
        is_told = false;
        buf_clear(&left);
        sum = add_columns(&taken, &left, &n, row, NULL);
    }
    if (n > 0)
        out->score = out->score_raw = sum;
    enum status status = buf_status(&taken, err);
    if (status == OK)
        status = buf_status(&left, err);
    if (status == OK && (n > 1 || left.len > 0))
        status = warn_of_columns(r, &taken, &left, is_told, err);
    buf_free(&taken);
    buf_free(&left);
    return status;
}

static enum status take_completion(struct reader *r, void *ctx,
                                   const struct value *row, size_t line,
                                   struct err *err)
{
    struct import_row out;
    (void)ctx;
    (void)line;
    TRY(rowmap_read(&out, r, row, completions, N_COMPLETIONS, err));
    TRY(add_rewards(&out, r, value_only(row), err));
    if (out.step < 0)
        out.step = reader_number(r->name, "completions_");
    return sink_put_row(r->sink, &out, err);
}

double trl_sniff_completions(const struct head *h)
{
    static const char *const names[] = {"prompt", "completion"};
    static const char *const more[] = {"step", "advantage"};
    if (h->n_columns > 0 || sniff_count(h, names, 2) < 2)
        return 0;
    size_t found = sniff_count(h, more, 2);
    return found == 2 ? 0.95 : found == 1 ? 0.7 : 0;
}

enum status trl_read_completions(struct reader *r, struct err *err)
{
    return reader_rows(r, take_completion, NULL, err);
}

/* ---- a table of Weights & Biases ---------------------------------------- */

static const struct rule table[] = {
    {"query", TO_PROMPT, "text", NULL},
    {"model response", TO_RESPONSE, "text",
     "of TRL's sample table, drawn at temperature 0.01"},
    {"response", TO_RESPONSE, "text", NULL},
    {"score", TO_SCORE, "score", NULL},
    {"reward", TO_SCORE, "score", NULL},
};

#define N_TABLE (sizeof table / sizeof *table)

/* {"columns": [...], "data": [[...]]}: a row of it as an object. */
static enum status take_cells(struct reader *r, const struct value *columns,
                              const struct value *cells, struct err *err)
{
    struct import_row out;
    struct value *member, row = {.kind = VALUE_OBJECT};
    size_t n = value_count(columns);
    if (cells->kind != VALUE_LIST || cells->n != n)
        return err_set(err, ERR_FORMAT, "a row of %zu cells, %zu columns",
                       value_count(cells), n);
    TRY(ARENA_NEW(&r->arena, member, n, err));
    const struct value *name = columns->first, *cell = cells->first;
    for (size_t i = 0; i < n; i++, name = name->next, cell = cell->next) {
        member[i] = *cell;
        member[i].key = value_text(name) != NULL ? value_text(name) : "?";
        member[i].next = i + 1 < n ? &member[i + 1] : NULL;
    }
    row.first = member;
    row.n = n;
    TRY(rowmap_read(&out, r, &row, table, N_TABLE, err));
    /* "media/table/completions_10_ab12.table.json" */
    if (out.step < 0)
        out.step = reader_number(r->name, "_");
    return sink_put_row(r->sink, &out, err);
}

double trl_sniff_table(const struct head *h)
{
    const struct value *columns = sniff_member(h, "columns");
    const struct value *data = sniff_member(h, "data");
    bool is_table = columns != NULL && columns->kind == VALUE_LIST &&
                    data != NULL && data->kind == VALUE_LIST;
    size_t found = 0;
    for (const struct value *c = is_table ? columns->first : NULL; c != NULL;
         c = c->next)
        for (size_t i = 0; i < N_TABLE; i++)
            found += value_text(c) != NULL &&
                     strcmp(value_text(c), table[i].from) == 0;
    return found >= 2 ? 0.85 : 0;
}

enum status trl_read_table(struct reader *r, struct err *err)
{
    struct value doc;
    enum status status = OK;
    TRY(reader_document(&doc, r, err));
    const struct value *columns = value_get(&doc, "columns");
    const struct value *data = value_get(&doc, "data");
    if (columns == NULL || columns->kind != VALUE_LIST || data == NULL ||
        data->kind != VALUE_LIST)
        status = err_set(err, ERR_FORMAT, "no table of columns and data");
    for (const struct value *v = status == OK ? data->first : NULL;
         v != NULL && status == OK; v = v->next)
        status = take_cells(r, columns, v, err);
    if (status != OK)
        (void)err_context(err, "%s:1", r->path);
    return status;
}

/* The same exported as CSV. */
double trl_sniff_csv(const struct head *h)
{
    static const char *const names[] = {"query", "model response", "score"};
    return h->n_columns > 0 && sniff_count(h, names, 3) == 3 ? 0.85 : 0;
}
