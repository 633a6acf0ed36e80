#include <math.h>
#include <stdio.h>
#include <string.h>

#include "import/readers.h"
#include "import/textlog.h"

/* ---- the training log --------------------------------------------------- */

/*
 * "[step 3/200] correct=2/4 rewards=['1.00', '0.01'] loss=0.0039 lr=0.00e+00
 * wasted=1 resampled=1", and for groups without spread that were not trained
 * on "[attempt 5] SKIP (ALL_WRONG, rewards=[...]) - resampling".  Rewards are
 * rounded to two places; which question they answer is not logged.
 */
struct counts {
    size_t wrong, correct; // groups skipped
};

static enum status put_group(struct reader *r, int64_t step, const char *at,
                             const char *question, struct err *err)
{
    struct import_row row;
    double x, sum = 0;
    char id[48];
    (void)snprintf(id, sizeof id, "group-%lld", (long long)step);
    sink_row_init(&row);
    row.step = step;
    row.prompt_id = question == NULL ? id : NULL;
    row.prompt = question;
    row.sample = 0;
    while (*at != '\0' && *at != ']' && textlog_number(&x, at, &at)) {
        row.score = row.score_raw = x;
        TRY(sink_put_row(r->sink, &row, err));
        row.sample++;
        sum += x;
        at += strspn(at, "', ");
    }
    if (row.sample > 0)
        TRY(sink_put_metric(r->sink, step, "reward", sum / (double)row.sample,
                            err));
    return notes_field(&r->sink->notes, "rewards", "score", "score",
                       "of each answer of the step's group", (size_t)row.sample,
                       err);
}

static enum status take_step(struct reader *r, const char *text, const char *at,
                             struct err *err)
{
    static const char *const marks[] = {"loss", "lr", "wasted", "resampled"};
    const char *end, *rewards = textlog_after(text, "rewards=[");
    char mark[32];
    double x, correct, of;
    int64_t step = textlog_step(at, &end);
    if (step < 0)
        return OK;
    if (rewards != NULL)
        TRY(put_group(r, step, rewards, NULL, err));
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        (void)snprintf(mark, sizeof mark, " %s=", marks[i]);
        if (textlog_find(&x, text, mark))
            TRY(sink_put_metric(r->sink, step, marks[i], x, err));
    }
    at = textlog_after(text, "correct=");
    if (at != NULL && textlog_number(&correct, at, &end) && *end == '/' &&
        textlog_number(&of, end + 1, &end) && of > 0)
        TRY(sink_put_metric(r->sink, step, "correct", correct / of, err));
    return OK;
}

static enum status take_line(struct reader *r, void *ctx, const char *text,
                             size_t line, struct err *err)
{
    struct counts *n = ctx;
    const char *at = textlog_after(text, "[step ");
    (void)line;
    n->wrong += strstr(text, "SKIP (ALL_WRONG") != NULL;
    n->correct += strstr(text, "SKIP (ALL_CORRECT") != NULL;
    return at != NULL ? take_step(r, text, at, err) : OK;
}

double grpo_log_sniff(const struct head *h)
{
    return h->n_rows == 0 && sniff_is_text(h) && sniff_says(h, "[step ") &&
                   sniff_says(h, " rewards=[")
               ? 0.9
               : 0;
}

enum status grpo_log_read(struct reader *r, struct err *err)
{
    struct counts n = {0, 0};
    TRY(reader_lines(r, take_line, &n, err));
    if (n.wrong + n.correct > 0)
        TRY(notes_warn(&r->sink->notes, "groups_skipped", n.wrong + n.correct,
                       err,
                       "groups whose answers all got one reward were drawn "
                       "again and never trained on: %zu all wrong, %zu all "
                       "right; the logged rewards are of the others only",
                       n.wrong, n.correct));
    return OK;
}

/* ---- its statistics as JSON --------------------------------------------- */

static enum status take_statistics(struct reader *r, const struct value *doc,
                                   struct err *err)
{
    const struct value *list = value_get(doc, "rewards_per_step");
    if (list == NULL || list->kind != VALUE_LIST)
        return err_set(err, ERR_FORMAT, "no list \"rewards_per_step\"");
    for (const struct value *v = list->first; v != NULL; v = v->next) {
        struct import_row row;
        size_t n;
        int64_t step = value_int(value_get(v, "useful_step"));
        const double *x = value_numbers(value_get(v, "rewards"), &n);
        if (step < 0 || x == NULL)
            return err_set(err, ERR_FORMAT,
                           "an entry without useful_step or rewards");
        sink_row_init(&row);
        row.step = step;
        row.prompt = value_text(value_get(v, "question"));
        for (row.sample = 0; (size_t)row.sample < n; row.sample++) {
            row.score = row.score_raw = x[row.sample];
            TRY(sink_put_row(r->sink, &row, err));
        }
        TRY(sink_put_metric(r->sink, step, "loss",
                            value_number(value_get(v, "loss")), err));
        TRY(notes_field(&r->sink->notes, "question", "prompt", "text",
                        "its first 80 characters", 1, err));
        TRY(notes_field(&r->sink->notes, "rewards", "score", "score", NULL, n,
                        err));
    }
    return OK;
}

double grpo_log_sniff_statistics(const struct head *h)
{
    static const char *const names[] = {"rewards_per_step", "useful_steps"};
    return h->is_document && sniff_count(h, names, 2) == 2 ? 0.95 : 0;
}

enum status grpo_log_read_statistics(struct reader *r, struct err *err)
{
    struct value doc;
    TRY(reader_document(&doc, r, err));
    enum status status = take_statistics(r, &doc, err);
    if (status != OK)
        (void)err_context(err, "%s:1", r->path);
    return status;
}

/* ---- an evaluation: "[12/266] CORRECT | target=0.5 pred=0.5" ------------ */

struct evaluation {
    char model[96], dataset[96];
    int64_t step; // of the checkpoint; -1: none
    int64_t fold; // 0: there are none
    size_t n, correct, truncated;
};

/* The last part of a path without its ending. */
static void copy_base(char out[96], const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t n = strcspn(name, ". ");
    n = n < 95 ? n : 95;
    memcpy(out, name, n);
    out[n] = '\0';
}

static void take_header(struct evaluation *e, const char *text)
{
    const char *at, *end;
    double x;
    if ((at = textlog_after(text, "Dataset: ")) != NULL)
        copy_base(e->dataset, at);
    if ((at = textlog_after(text, "LoRA: ")) == text + 6 && *at != '\0') {
        copy_base(e->model, at);
        if ((at = textlog_after(text, "checkpoint-")) != NULL)
            e->step = textlog_step(at, &end);
    }
    if (textlog_find(&x, text, "Fold ") && x >= 1 && x < 1e6 &&
        strstr(text, "test questions") != NULL)
        e->fold = (int64_t)x;
}

static enum status take_answer(struct evaluation *e, struct reader *r,
                               const char *text, const char *at,
                               struct err *err)
{
    const char *end;
    char id[192];
    int64_t question = textlog_step(at, &end);
    bool is_right = strstr(end, "] CORRECT |") != NULL;
    bool is_cut = strstr(end, "] TRUNCATED |") != NULL;
    (void)text;
    if (e->fold > 0)
        (void)snprintf(id, sizeof id, "%s/fold%lld/q%lld", e->dataset,
                       (long long)e->fold, (long long)question);
    else
        (void)snprintf(id, sizeof id, "%s/q%lld", e->dataset,
                       (long long)question);
    e->n++;
    e->correct += is_right;
    e->truncated += is_cut;
    const struct import_verdict v = {.model = e->model,
                                     .step = e->step,
                                     .set = e->dataset,
                                     .prompt_id = id,
                                     .is_correct = is_right,
                                     .is_truncated = is_cut};
    return sink_put_verdict(r->sink, &v, err);
}

static enum status take_evaluated(struct reader *r, void *ctx, const char *text,
                                  size_t line, struct err *err)
{
    struct evaluation *e = ctx;
    const char *at = text + strspn(text, " "), *end;
    (void)line;
    if (at[0] == '[' && textlog_step(at + 1, &end) >= 0 && *end == '/' &&
        strstr(end, "] ") != NULL && strstr(end, " | target=") != NULL)
        return take_answer(e, r, text, at + 1, err);
    take_header(e, text);
    return OK;
}

double grpo_log_sniff_evaluation(const struct head *h)
{
    return h->n_rows == 0 && sniff_is_text(h) && sniff_says(h, "Dataset: ") &&
                   sniff_says(h, " | target=")
               ? 0.9
               : 0;
}

static enum status put_curve(struct reader *r, const struct evaluation *e,
                             const char *what, double x, struct err *err)
{
    char name[192];
    (void)snprintf(name, sizeof name, "eval/%s/%s", e->dataset, what);
    return sink_put_metric(r->sink, e->step, name, x, err);
}

enum status grpo_log_read_evaluation(struct reader *r, struct err *err)
{
    struct evaluation e = {.model = "base", .step = -1};
    const char *reference = reader_mapped(r, "reference");
    TRY(reader_lines(r, take_evaluated, &e, err));
    if (e.step < 0 && reference != NULL && strcmp(reference, e.model) == 0)
        e.step = 0;
    if (e.n == 0)
        return notes_warn(&r->sink->notes, "no_answers", 1, err,
                          "an evaluation without a judged answer");
    if (e.step < 0)
        return notes_warn(&r->sink->notes, "evaluation_of_no_checkpoint", 1,
                          err,
                          "the evaluation of a model that is no checkpoint: "
                          "its verdicts are kept, but it is no point of a "
                          "curve (--map reference=%s makes it iteration 0)",
                          e.model);
    TRY(put_curve(r, &e, "accuracy", (double)e.correct / (double)e.n, err));
    TRY(put_curve(r, &e, "truncated", (double)e.truncated / (double)e.n, err));
    return put_curve(r, &e, "n", (double)e.n, err);
}
