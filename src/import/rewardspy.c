#include <string.h>

#include "import/readers.h"
#include "import/rowmap.h"

/*
 * A record of one call of the reward function (records.py): call_id, timestamp,
 * step, scalar_reward, components{}, call_duration_ms, input_length,
 * output_length.  It has no texts.  What the lengths count is whatever len()
 * gave of what the function was handed: they are no tokens.
 */
static const struct rule rules[] = {
    {"step", TO_STEP, "step", NULL},
    {"scalar_reward", TO_SCORE, "score", NULL},
    {"call_id", TO_PROMPT_ID, NULL,
     "the name of the call: prompts are not told"},
    {"timestamp", TO_NOTHING, "s", "a time"},
    {"call_duration_ms", TO_NOTHING, "ms", "a time"},
    {"input_length", TO_EXTRA, NULL,
     "len() of what the reward function was handed; its unit is not said"},
    {"output_length", TO_EXTRA, NULL,
     "len() of what the reward function was handed; its unit is not said"},
    {"components", TO_NOTHING, "score", "read part by part"},
};

/* The parts of the reward, as means of the step cannot be told: kept with the
 * row. */
static enum status put_components(struct import_row *out, struct reader *r,
                                  const struct value *row, struct err *err)
{
    struct buf extra;
    const struct value *parts = value_get(row, "components");
    if (parts == NULL || parts->kind != VALUE_OBJECT || parts->n == 0)
        return OK;
    buf_init(&extra, (size_t)1 << 22);
    if (out->extra != NULL)
        buf_printf(&extra, "%s,", out->extra);
    buf_puts(&extra, "\"components\":");
    value_put_json(&extra, parts);
    enum status status = buf_status(&extra, err);
    if (status == OK)
        status = arena_text(&out->extra, &r->arena, buf_text(&extra), extra.len,
                            err);
    buf_free(&extra);
    for (const struct value *v = parts->first; v != NULL && status == OK;
         v = v->next)
        status = notes_field(&r->sink->notes, v->key, "components", "score",
                             "a part of the reward", 1, err);
    return status;
}

static enum status take_row(struct reader *r, void *ctx,
                            const struct value *row, size_t line,
                            struct err *err)
{
    struct import_row out;
    (void)ctx;
    (void)line;
    if (value_text(value_get(row, "detector")) != NULL) {
        TRY(notes_warn(&r->sink->notes, "rewardspy_alerts", 1, err,
                       "rewardspy raised alerts, among them of %.80s: %.300s",
                       value_text(value_get(row, "detector")),
                       value_text(value_get(row, "message")) != NULL
                           ? value_text(value_get(row, "message"))
                           : ""));
        return sink_skip(r->sink, "an alert, no reward", err);
    }
    TRY(rowmap_read(&out, r, row, rules, sizeof rules / sizeof *rules, err));
    TRY(put_components(&out, r, row, err));
    return sink_put_row(r->sink, &out, err);
}

double rewardspy_sniff(const struct head *h)
{
    static const char *const names[] = {"call_id", "scalar_reward", "step"};
    return h->n_columns == 0 && sniff_count(h, names, 3) == 3 ? 0.95 : 0;
}

enum status rewardspy_read(struct reader *r, struct err *err)
{
    return reader_rows(r, take_row, NULL, err);
}
