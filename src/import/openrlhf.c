#include <math.h>
#include <string.h>

#include "import/readers.h"
#include "import/rowmap.h"
#include "import/textlog.h"

/* ---- batch_inference: {"input","output"} and, scored, "reward" ---------- */

static const struct rule rules[] = {
    {"input", TO_PROMPT, "text", NULL},
    {"output", TO_RESPONSE, "text", NULL},
    {"reward", TO_SCORE, "score", NULL},
};

static enum status take_row(struct reader *r, void *ctx,
                            const struct value *row, size_t line,
                            struct err *err)
{
    struct import_row out;
    (void)ctx;
    (void)line;
    TRY(rowmap_read(&out, r, row, rules, sizeof rules / sizeof *rules, err));
    return sink_put_row(r->sink, &out, err);
}

double openrlhf_sniff_rows(const struct head *h)
{
    static const char *const names[] = {"input", "output", "reward"};
    return h->n_columns == 0 && sniff_count(h, names, 3) == 3 ? 0.8 : 0;
}

enum status openrlhf_read_rows(struct reader *r, struct err *err)
{
    return reader_rows(r, take_row, NULL, err);
}

/* ---- iterative DPO: the best and the worst of several ------------------- */

static enum status put_one(struct reader *r, const struct value *row,
                           const char *text, const char *reward, int64_t sample,
                           struct err *err)
{
    struct import_row out;
    sink_row_init(&out);
    TRY(reader_text(&out.prompt, r, value_get(row, "prompt"), err));
    TRY(reader_text(&out.response, r, value_get(row, text), err));
    out.score = out.score_raw = value_number(value_get(row, reward));
    out.sample = sample;
    out.extra = sample == 0 ? "\"extra\":{\"best\":true}"
                            : "\"extra\":{\"best\":false}";
    TRY(notes_field(&r->sink->notes, text, "response", "text",
                    "the best (0) and the worst (1) of the samples", 1, err));
    TRY(notes_field(&r->sink->notes, reward, "score", "score", NULL, 1, err));
    return sink_put_row(r->sink, &out, err);
}

static enum status take_pair(struct reader *r, void *ctx,
                             const struct value *row, size_t line,
                             struct err *err)
{
    (void)ctx;
    (void)line;
    TRY(put_one(r, row, "chosen", "chosen_reward", 0, err));
    return put_one(r, row, "rejected", "rejected_reward", 1, err);
}

double openrlhf_sniff_pairs(const struct head *h)
{
    static const char *const names[] = {"prompt", "chosen", "chosen_reward",
                                        "rejected", "rejected_reward"};
    return h->n_columns == 0 && sniff_count(h, names, 5) == 5 ? 0.95 : 0;
}

enum status openrlhf_read_pairs(struct reader *r, struct err *err)
{
    return reader_rows(r, take_pair, NULL, err);
}

/* ---- log text: "Global step 12: {'policy_loss': 0.1, ...}" -------------- */

static enum status take_line(struct reader *r, void *ctx, const char *text,
                             size_t line, struct err *err)
{
    int64_t step;
    size_t n;
    const char *at = textlog_step_line(&step, text, "Global step ", ": {");
    (void)ctx;
    (void)line;
    return at != NULL ? textlog_pairs(&n, r, step, at, ":", ",", err) : OK;
}

double openrlhf_sniff_log(const struct head *h)
{
    int64_t step;
    bool is_log = h->n_rows == 0 && sniff_is_text(h) &&
                  textlog_step_line(&step, h->text, "Global step ", ": {'");
    return is_log ? 0.8 : 0;
}

enum status openrlhf_read_log(struct reader *r, struct err *err)
{
    return reader_lines(r, take_line, NULL, err);
}
