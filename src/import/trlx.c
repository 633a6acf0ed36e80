#include <string.h>

#include "import/readers.h"
#include "import/rowmap.h"
#include "import/tokens.h"

/*
 * rollout_logging_dir/{run}/epoch-{unix_time}.json: one array of {query_tensor,
 * response_tensor, logprobs, values, rewards}.  The rewards hold the KL term
 * too, so that the score itself is not told; there is no step, and files are
 * taken in the order of their names.
 */
static const struct rule rules[] = {
    {"query_tensor", TO_NOTHING, "ids", "a hash of them is prompt_id"},
    {"response_tensor", TO_TOKENS, "ids", NULL},
    {"logprobs", TO_LOGP, "nats/token", NULL},
    {"values", TO_VALUE, "score/token", NULL},
    {"rewards", TO_REWARD, "score/token",
     "score and KL term together: the score is not told apart"},
};

static enum status take_row(struct reader *r, void *ctx,
                            const struct value *row, size_t line,
                            struct err *err)
{
    struct import_row out;
    (void)ctx;
    (void)line;
    TRY(tokens_row(&out, r, row, rules, sizeof rules / sizeof *rules,
                   "query_tensor", err));
    if (out.step < 0)
        out.step = (int64_t)r->sink->number;
    return sink_put_row(r->sink, &out, err);
}

double trlx_sniff_rollouts(const struct head *h)
{
    static const char *const names[] = {"query_tensor", "response_tensor"};
    return h->n_columns == 0 && sniff_count(h, names, 2) == 2 ? 0.95 : 0;
}

enum status trlx_read_rollouts(struct reader *r, struct err *err)
{
    return reader_rows(r, take_row, NULL, err);
}

double trlx_sniff_config(const struct head *h)
{
    static const char *const names[] = {"train", "method", "model",
                                        "tokenizer"};
    return h->is_document && sniff_count(h, names, 4) == 4 ? 0.85 : 0;
}

enum status trlx_read_config(struct reader *r, struct err *err)
{
    struct value doc;
    TRY(reader_document(&doc, r, err));
    return tokens_settings(r, &doc, "", 0, err);
}
