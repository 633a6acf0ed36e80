#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "import/readers.h"
#include "import/rowmap.h"
#include "import/seen.h"
#include "import/textlog.h"

/* ---- rollouts ----------------------------------------------------------- */

/*
 * {"input","output","gts","score","step", every key of reward_extra_info,
 * "request_id"?, "uid"?} (ray_trainer.py, _write_generations).  Texts are
 * decoded without special tokens: whether a response ended cannot be told.
 */
static const struct rule rollouts[] = {
    {"input", TO_PROMPT, "text", NULL},
    {"output", TO_RESPONSE, "text",
     "decoded without special tokens: whether it ended cannot be told"},
    {"score", TO_SCORE, "score", "sum over tokens, before the KL penalty"},
    {"step", TO_STEP, "step", NULL},
    {"gts", TO_NOTHING, NULL, "the ground truth, which is no number"},
    {"uid", TO_NOTHING, NULL,
     "new in every step: prompts are told by their text instead"},
    {"request_id", TO_NOTHING, NULL, "the engine's name for the request"},
};

static enum status take_rollout(struct reader *r, void *ctx,
                                const struct value *row, size_t line,
                                struct err *err)
{
    struct import_row out;
    (void)ctx;
    (void)line;
    TRY(rowmap_read(&out, r, row, rollouts, sizeof rollouts / sizeof *rollouts,
                    err));
    if (out.step < 0)
        out.step = reader_number(r->name, "");
    return sink_put_row(r->sink, &out, err);
}

double verl_sniff_rollouts(const struct head *h)
{
    static const char *const names[] = {"input", "output", "score"};
    static const char *const more[] = {"gts", "step"};
    if (h->n_columns > 0 || sniff_count(h, names, 3) < 3)
        return 0;
    return sniff_count(h, more, 2) == 2 ? 0.95
           : sniff_member(h, "step")    ? 0.8
                                        : 0.4;
}

enum status verl_read_rollouts(struct reader *r, struct err *err)
{
    return reader_rows(r, take_rollout, NULL, err);
}

/* ---- validation --------------------------------------------------------- */

/*
 * trainer.validation_data_dir: the same rows, told by their folder's name.
 * What is validated before the first step (trainer.val_before_train) is the
 * model that training began with.  A prompt has val_kwargs.n replies, numbered
 * as they come.
 */
static enum status take_validation(struct reader *r, void *ctx,
                                   const struct value *row, size_t line,
                                   struct err *err)
{
    struct import_row in;
    struct import_reply out;
    uint32_t *number = NULL;
    (void)line;
    TRY(rowmap_read(&in, r, row, rollouts, sizeof rollouts / sizeof *rollouts,
                    err));
    sink_reply_init(&out);
    out.step = in.step >= 0 ? in.step : reader_number(r->name, "");
    out.is_policy = out.step != 0;
    out.prompt_id = in.prompt_id;
    out.prompt = in.prompt;
    out.response = in.response;
    out.score = in.score;
    out.finish = in.finish;
    out.n_tokens = in.n_tokens;
    out.extra = in.extra;
    const char *const key[] = {in.prompt_id != NULL ? in.prompt_id : "",
                               in.prompt != NULL ? in.prompt : ""};
    TRY(seen_at(&number, ctx, seen_key(key, 2), NULL, err));
    out.sample = in.sample >= 0 ? in.sample : (int64_t)*number;
    (*number)++;
    return sink_put_reply(r->sink, &out, err);
}

/* Is "val", "validation", "eval" or the like a word of the folder's name? */
static bool is_validation(const char *path)
{
    static const char *const words[] = {"val", "valid", "validation", "eval",
                                        "evaluation"};
    const char *end = strrchr(path, '/');
    const char *at = end;
    while (at != NULL && at > path && at[-1] != '/')
        at--;
    while (at != NULL && at < end) {
        size_t n = 0;
        while (at + n < end && isalpha((unsigned char)at[n]))
            n++;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (strlen(words[i]) == n && strncasecmp(words[i], at, n) == 0)
                return true;
        at += n + 1;
    }
    return false;
}

double verl_sniff_validation(const struct head *h)
{
    double sure = verl_sniff_rollouts(h);
    return sure > 0 && is_validation(h->path) ? sure + 0.02 : 0;
}

enum status verl_read_validation(struct reader *r, struct err *err)
{
    struct seen seen = {.n = 0};
    enum status status = reader_rows(r, take_validation, &seen, err);
    seen_free(&seen);
    return status;
}

/* ---- the file logger ---------------------------------------------------- */

/* {"step":N,"data":{metric: value}} */
static enum status take_logged(struct reader *r, void *ctx,
                               const struct value *row, size_t line,
                               struct err *err)
{
    const struct value *data = value_get(row, "data");
    int64_t step = value_int(value_get(row, "step"));
    (void)ctx;
    (void)line;
    if (data == NULL || data->kind != VALUE_OBJECT || step < 0)
        return err_set(err, ERR_FORMAT,
                       "no {\"step\": N, \"data\": {...}} of the file logger");
    return reader_metrics(r, step, data, err);
}

double verl_sniff_logger(const struct head *h)
{
    static const char *const names[] = {"step", "data"};
    const struct value *data = sniff_member(h, "data");
    return sniff_count(h, names, 2) == 2 && data != NULL &&
                   data->kind == VALUE_OBJECT && !h->is_array
               ? 0.9
               : 0;
}

enum status verl_read_logger(struct reader *r, struct err *err)
{
    TRY(reader_rows(r, take_logged, NULL, err));
    int64_t first = r->sink->notes.first_step;
    if (first > 1)
        return notes_warn(&r->sink->notes, "verl_file_overwritten", 1, err,
                          "the file logger begins at step %lld: a resumed run "
                          "opens its file anew, and what was logged before is "
                          "gone",
                          (long long)first);
    return OK;
}

/* ---- the console -------------------------------------------------------- */

/* "step:12 - critic/score/mean:0.5 - ...", behind whatever Ray puts there. */
static const char *find_step(int64_t *step, const char *text)
{
    for (const char *at = text; (at = strstr(at, "step:")) != NULL; at++) {
        const char *end;
        *step = textlog_step(at + 5, &end);
        if (*step >= 0 && strncmp(end, " - ", 3) == 0)
            return end + 3;
    }
    return NULL;
}

static enum status take_console(struct reader *r, void *ctx, const char *text,
                                size_t line, struct err *err)
{
    int64_t step;
    size_t n;
    const char *at = find_step(&step, text);
    (void)ctx;
    (void)line;
    return at != NULL ? textlog_pairs(&n, r, step, at, ":", " - ", err) : OK;
}

double verl_sniff_console(const struct head *h)
{
    int64_t step;
    return h->n_rows == 0 && sniff_is_text(h) &&
                   find_step(&step, h->text) != NULL
               ? 0.85
               : 0;
}

enum status verl_read_console(struct reader *r, struct err *err)
{
    return reader_lines(r, take_console, NULL, err);
}

/* ---- settings ----------------------------------------------------------- */

double verl_sniff_config(const struct head *h)
{
    return h->n_rows == 0 && h->text[0] != '[' && sniff_is_text(h) &&
                   sniff_says(h, "actor_rollout_ref:") &&
                   sniff_says(h, "algorithm:")
               ? 0.9
               : 0;
}
