#include "import/sink.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "import/estimators.h"
#include "import/quantities.h"
#include "import/sink_internal.h"
#include "io/flat.h"
#include "io/trace.h"
#include "io/trace_read.h"

#define HELD_MAX ((size_t)8 << 20) // bytes of rows before they are written
#define TEXT_MAX ((size_t)512 << 20)

struct sink_series {
    struct quantity_range range;
    int64_t last;
    size_t back; // steps that were not after the one before
};

void sink_row_init(struct import_row *row)
{
    *row = (struct import_row){.step = -1,
                               .sample = -1,
                               .n_tokens = -1,
                               .score = (double)NAN,
                               .score_raw = (double)NAN,
                               .kl_sequence = (double)NAN};
}

enum {
    BUFS = 9
};

static void list_bufs(struct buf *out[BUFS], struct sink *s)
{
    struct buf *const all[BUFS] = {&s->row,   &s->line,     &s->id,
                                   &s->rows,  &s->metrics,  &s->replies,
                                   &s->votes, &s->settings, &s->verdicts};
    for (size_t i = 0; i < BUFS; i++)
        out[i] = all[i];
}

enum status sink_open(struct sink *s, const char *state, size_t number,
                      const char *trainer, struct err *err)
{
    char name[32];
    *s = (struct sink){
        .trainer = trainer, .number = number, .step = -1, .rows_step = -1};
    notes_init(&s->notes);
    struct buf *all[BUFS];
    list_bufs(all, s);
    for (size_t i = 0; i < BUFS; i++)
        buf_init(all[i], TEXT_MAX);
    (void)snprintf(name, sizeof name, "%06zu", number);
    TRY(file_join(s->dir, state, name, err));
    TRY(file_remove(s->dir, err));
    return file_make_dir(s->dir, err);
}

void sink_free(struct sink *s)
{
    struct buf *all[BUFS];
    list_bufs(all, s);
    for (size_t i = 0; i < BUFS; i++)
        buf_free(all[i]);
    notes_free(&s->notes);
    names_free(&s->series_name);
    mem_free(s->series);
}

/* ---- to the disk -------------------------------------------------------- */

static enum status append(struct sink *s, const char *name,
                          const struct buf *data, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(file_join(path, s->dir, name, err));
    FILE *f = fopen(path, "ab");
    if (f == NULL)
        return file_error(err, "write", path);
    bool is_whole = fwrite(data->data, 1, data->len, f) == data->len;
    enum status status = is_whole ? OK : file_error(err, "write", path);
    if (fclose(f) != 0 && status == OK)
        status = file_error(err, "write", path);
    return status;
}

enum status sink_flush(struct sink *s, const char *name, struct buf *b,
                       size_t least, struct err *err)
{
    TRY(buf_status(b, err));
    if (b->len <= least)
        return OK;
    TRY(append(s, name, b, err));
    buf_clear(b);
    return OK;
}

static enum status flush_rows(struct sink *s, struct err *err)
{
    char name[48];
    struct buf packed;
    if (s->rows.len == 0)
        return buf_status(&s->rows, err);
    buf_init(&packed, TEXT_MAX);
    (void)snprintf(name, sizeof name, "rows.%lld", (long long)s->rows_step);
    enum status status = trace_pack(&packed, &s->rows, err);
    if (status == OK)
        status = append(s, name, &packed, err);
    buf_free(&packed);
    buf_clear(&s->rows);
    return status;
}

/* Warnings about the curves, which need all of their values. */
static enum status judge_series(struct sink *s, struct err *err)
{
    for (size_t i = 0; i < s->series_name.n; i++) {
        const struct sink_series *x = &s->series[i];
        const char *name = s->series_name.text[i];
        if (x->range.not_finite > 0)
            TRY(notes_warn(&s->notes, "not_finite", x->range.not_finite, err,
                           "values that are no finite number, among them of "
                           "%.200s",
                           name));
        if (x->back > 0)
            TRY(notes_warn(&s->notes, "steps_repeated", x->back, err,
                           "steps come again or go back, as after a resumed "
                           "run; of each the later value counts"));
        estimators_judge(&s->notes, s->trainer, name, x->range.low);
        TRY(quantities_judge(&s->notes, s->trainer, name, &x->range, err));
    }
    return OK;
}

enum status sink_finish(struct sink *s, const char *head, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct json_writer w;
    TRY(flush_rows(s, err));
    TRY(sink_flush(s, "metrics", &s->metrics, 0, err));
    TRY(sink_flush(s, "replies", &s->replies, 0, err));
    TRY(sink_flush(s, "votes", &s->votes, 0, err));
    TRY(sink_flush(s, "settings", &s->settings, 0, err));
    TRY(sink_flush(s, "verdicts", &s->verdicts, 0, err));
    TRY(judge_series(s, err));
    if (s->stepless > 0 && s->step >= 0)
        TRY(notes_warn(&s->notes, "step_missing", s->stepless, err,
                       "rows without a step among others that have one: they "
                       "are taken to be of the step before them (0: of the "
                       "first ones)"));
    TRY(file_join(path, s->dir, "done.json", err));
    buf_clear(&s->line);
    json_writer_init(&w, &s->line, true);
    json_open(&w, '{');
    json_put_key(&w, "source");
    json_put_raw(&w, head, strlen(head));
    notes_write(&w, &s->notes);
    json_close(&w, '}');
    TRY(buf_status(&s->line, err));
    return file_write(path, s->line.data, s->line.len, err);
}

/* ---- rows --------------------------------------------------------------- */

int64_t sink_words(const char *text)
{
    int64_t n = 0;
    bool is_in = false;
    for (; *text != '\0'; text++) {
        bool is_blank = strchr(" \t\r\n", *text) != NULL;
        n += !is_blank && !is_in;
        is_in = !is_blank;
    }
    return n;
}

const char *sink_id(struct sink *s, const char *id, const char *prompt)
{
    if (id != NULL && id[0] != '\0')
        return id;
    buf_clear(&s->id);
    if (prompt != NULL)
        buf_printf(&s->id, "p%016llx", (unsigned long long)names_hash(prompt));
    else
        buf_printf(&s->id, "row%zu-%zu", s->number, s->notes.rows_in);
    return buf_text(&s->id);
}

/* What a row has, for the list of what is missing. */
static void note_row(struct notes *n, const struct import_row *r)
{
    const struct {
        bool is_there;
        unsigned bit;
    } all[] = {
        {true, HAS_ROWS},
        {r->prompt != NULL, HAS_PROMPT},
        {r->prompt_id != NULL, HAS_PROMPT_ID},
        {r->response != NULL, HAS_RESPONSE},
        {isfinite(r->score), HAS_SCORE},
        {r->token != NULL, HAS_TOKENS},
        {r->token != NULL || r->n_tokens >= 0, HAS_LENGTH},
        {r->finish != FINISH_UNKNOWN, HAS_FINISH},
        {r->logp != NULL || r->logp_sample != NULL, HAS_LOGP},
        {r->logp_ref != NULL, HAS_LOGP_REF},
        {r->logp_ref != NULL || r->kl != NULL || isfinite(r->kl_sequence),
         HAS_KL},
        {r->value != NULL, HAS_VALUE},
        {r->advantage != NULL, HAS_ADVANTAGE},
        {r->step >= 0, HAS_STEPS},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        n->has |= all[i].is_there ? all[i].bit : 0;
}

static struct trace_row as_trace(struct sink *s, const struct import_row *r)
{
    struct trace_row t = {
        .run = "ppo",
        .step = r->step >= 0   ? r->step
                : s->step >= 0 ? s->step
                               : 0,
        .prompt_id = sink_id(s, r->prompt_id, r->prompt),
        .sample = -1,
        .prompt = r->prompt,
        .response = r->response,
        .tags = r->tags,
        .extra = r->extra,
        .is_eos = r->finish == FINISH_EOS,
        .finish_unknown = r->finish == FINISH_UNKNOWN,
        .score_raw = r->score_raw,
        .score = r->score,
        .beta = (double)NAN,
        .temperature = (double)NAN,
        .len = r->len,
        .token = r->token,
        .logp_sample = r->logp_sample,
        .logp = r->logp,
        .logp_ref = r->logp_ref,
        .kl = r->kl,
        .entropy = r->entropy,
        .value = r->value,
        .reward = r->reward,
        .reward_kl = r->reward_kl,
        .advantage = r->advantage,
    };
    if (isfinite(r->kl_sequence))
        t.kl_sequence = &r->kl_sequence;
    if (t.len == 0 && (r->n_tokens >= 0 || r->response != NULL)) {
        bool is_tokens = r->n_tokens >= 0;
        t.n_tokens = is_tokens ? r->n_tokens : sink_words(r->response);
        t.len_unit = is_tokens ? "tokens" : "words";
        s->notes.has |= is_tokens ? 0 : HAS_WORDS;
    }
    return t;
}

/* What the row says, to tell two copies of it. */
static uint64_t content_of(const struct trace_row *t)
{
    char score[32];
    (void)snprintf(score, sizeof score, "%.17g", t->score);
    uint64_t h = names_hash(t->response != NULL ? t->response : "");
    for (size_t i = 0; t->token != NULL && i < t->len; i++)
        h = (h ^ (uint32_t)t->token[i]) * UINT64_C(0x100000001b3);
    return h ^ names_hash(score) * UINT64_C(0x9e3779b97f4a7c15);
}

static enum status check_row(const struct import_row *r, struct err *err)
{
    if (r->step > SINK_STEP_MAX)
        return err_set(err, ERR_FORMAT, "step %lld is beyond %d",
                       (long long)r->step, SINK_STEP_MAX);
    if (r->n_tokens > SINK_STEP_MAX)
        return err_set(err, ERR_FORMAT, "a length of %lld",
                       (long long)r->n_tokens);
    return OK;
}

/* The step that a row says it is of; one that says none changes nothing. */
static enum status follow_step(struct sink *s, int64_t step, struct err *err)
{
    bool is_back = step >= 0 && step < s->step;
    s->stepless += step < 0;
    s->notes.passes += is_back;
    s->step = step >= 0 ? step : s->step;
    return is_back
               ? notes_warn(&s->notes, "steps_back", 1, err,
                            "the steps of rows go back, as after a resumed run")
               : OK;
}

enum status sink_put_row(struct sink *s, const struct import_row *row,
                         struct err *err)
{
    struct notes *n = &s->notes;
    TRY(check_row(row, err));
    n->rows_in++;
    note_row(n, row);
    const struct trace_row t = as_trace(s, row);
    buf_clear(&s->row);
    trace_write_row(&s->row, &t);
    if (s->row.len >= TRACE_LINE_MAX - 64)
        return notes_skip(n, "it is longer than a row of rollouts can be", 1,
                          err);
    TRY(buf_status(&s->row, err));
    TRY(follow_step(s, row->step, err));
    if (t.step != s->rows_step || s->rows.len > HELD_MAX)
        TRY(flush_rows(s, err));
    s->rows_step = t.step;
    buf_printf(&s->rows, "%zu %lld %016llx %016llx ", n->passes,
               (long long)row->sample,
               (unsigned long long)names_hash(t.prompt_id),
               (unsigned long long)content_of(&t));
    buf_append(&s->rows, s->row.data, s->row.len);
    n->rows_out++;
    notes_step(n, t.step);
    return buf_status(&s->rows, err);
}

enum status sink_skip(struct sink *s, const char *why, struct err *err)
{
    s->notes.rows_in++;
    return notes_skip(&s->notes, why, 1, err);
}

/* ---- metrics and settings ----------------------------------------------- */

static enum status find_series(struct sink_series **out, struct sink *s,
                               const char *name, struct err *err)
{
    size_t index, before = s->series_name.n;
    TRY(names_add(&s->series_name, &index, name, err));
    if (index == before) {
        enum status status = MEM_ROOM(s->series, before, s->room_series, err);
        if (status != OK) {
            names_cut(&s->series_name, before);
            return status;
        }
        s->series[index] = (struct sink_series){
            .range = {.low = (double)INFINITY, .high = -(double)INFINITY},
            .last = INT64_MIN};
    }
    *out = &s->series[index];
    return OK;
}

enum status sink_put_metric(struct sink *s, int64_t step, const char *name,
                            double value, struct err *err)
{
    struct sink_series *x;
    if (step < 0 || step > SINK_STEP_MAX)
        return err_set(err, ERR_FORMAT, "a value of step %lld",
                       (long long)step);
    if (name[0] == '\0' || strpbrk(name, "\t\n\r") != NULL ||
        strlen(name) > 200)
        return err_set(err, ERR_FORMAT,
                       "a metric's name is empty, long or has a line end");
    const struct quantity *q = quantities_find(s->trainer, name);
    const char *to = q != NULL && q->to != NULL ? q->to : name;
    TRY(notes_field(&s->notes, name, q != NULL ? to : NULL,
                    q != NULL ? q->unit : NULL,
                    q == NULL ? "kept under its own name" : q->note, 1, err));
    if (q != NULL && q->kind != NULL)
        TRY(quantities_note_kl(&s->notes, q, to, err));
    TRY(find_series(&x, s, name, err));
    x->range.n++;
    x->back += step <= x->last;
    x->last = step;
    if (!isfinite(value)) {
        x->range.not_finite++;
        return OK;
    }
    x->range.negative += value < 0;
    x->range.low = fmin(x->range.low, value);
    x->range.high = fmax(x->range.high, value);
    s->notes.has |= HAS_METRICS;
    if (strcmp(to, "response/length") == 0)
        s->notes.has |= HAS_MEAN_LENGTH;
    notes_step(&s->notes, step);
    buf_printf(&s->metrics, "%lld\t%s\t%.17g\n", (long long)step, to, value);
    return sink_flush(s, "metrics", &s->metrics, SINK_HELD, err);
}

/* Keys of accounts, which scripts hold too. */
static bool is_secret(const char *key)
{
    static const char *const ends[] = {
        "use_wandb",    "wandb_token", "hf_token", "hub_token",
        "access_token", "auth_token",  "api_key",  "password"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (file_ends_with(key, ends[i]))
            return true;
    return false;
}

/* `all`: the settings beside it, or NULL. */
static enum status put_setting(struct sink *s, const char *key,
                               const char *text, const struct flat *all,
                               struct err *err)
{
    const char *ours = quantities_setting(s->trainer, key, all);
    if (is_secret(key))
        return notes_field(&s->notes, key, NULL, NULL,
                           "may be a key of an account: not kept", 1, err);
    TRY(notes_field(&s->notes, key, ours, NULL,
                    ours == NULL ? "kept as a setting of the trainer" : NULL, 1,
                    err));
    s->notes.has |= HAS_SETTINGS;
    struct json_writer w;
    json_writer_init(&w, &s->settings, false);
    json_open(&w, '[');
    json_put_text(&w, ours);
    json_put_text(&w, key);
    json_put_text(&w, text);
    json_close(&w, ']');
    buf_putc(&s->settings, '\n');
    return sink_flush(s, "settings", &s->settings, SINK_HELD, err);
}

enum status sink_put_setting(struct sink *s, const char *key, const char *text,
                             struct err *err)
{
    return put_setting(s, key, text, NULL, err);
}

enum status sink_put_settings(struct sink *s, const struct flat *settings,
                              struct err *err)
{
    for (size_t i = 0; i < settings->n; i++) {
        const struct flat_entry *x = &settings->entry[i];
        if (x->text != NULL)
            TRY(put_setting(s, x->key, x->text, settings, err));
    }
    return OK;
}
