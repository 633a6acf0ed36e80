#include <string.h>

#include "import/readers.h"
#include "import/rowmap.h"
#include "import/tokens.h"

/* {run}_rollouts_{shard}.jsonl: token ids only; texts need the tokenizer. */
static const struct rule rules[] = {
    {"step", TO_STEP, "step", NULL},
    {"sample_idx", TO_SAMPLE, NULL, "the place in the batch"},
    {"prompt_idx", TO_NOTHING, NULL,
     "the place in the batch: prompts are told by their tokens"},
    {"prompt_tokens", TO_NOTHING, "ids", "a hash of them is prompt_id"},
    {"response_tokens", TO_TOKENS, "ids", NULL},
    {"reward", TO_SCORE, "score", NULL},
    {"advantage", TO_ADVANTAGE, NULL, NULL},
    {"finish_reason", TO_FINISH, NULL, NULL},
    {"dataset", TO_TAG, NULL, NULL},
    {"ground_truth", TO_NOTHING, NULL, "the ground truth, which is no number"},
    {"request_info", TO_NOTHING, NULL, "of the engine"},
    {"logprobs", TO_LOGP_SAMPLE, "nats/token", "as the engine sampled them"},
};

static enum status take_row(struct reader *r, void *ctx,
                            const struct value *row, size_t line,
                            struct err *err)
{
    struct import_row out;
    (void)ctx;
    (void)line;
    TRY(tokens_row(&out, r, row, rules, sizeof rules / sizeof *rules,
                   "prompt_tokens", err));
    return sink_put_row(r->sink, &out, err);
}

double open_instruct_sniff_rollouts(const struct head *h)
{
    static const char *const names[] = {"prompt_tokens", "response_tokens",
                                        "reward"};
    return h->n_columns == 0 && sniff_count(h, names, 3) == 3 ? 0.95 : 0;
}

enum status open_instruct_read_rollouts(struct reader *r, struct err *err)
{
    return reader_rows(r, take_row, NULL, err);
}

/* {run}_metadata.jsonl: run_name, git_commit, model_name, timestamp. */
static enum status take_metadata(struct reader *r, void *ctx,
                                 const struct value *row, size_t line,
                                 struct err *err)
{
    const char *commit = value_text(value_get(row, "git_commit"));
    (void)ctx;
    (void)line;
    if (commit != NULL)
        TRY(notes_version(&r->sink->notes, commit, err));
    return tokens_settings(r, row, "", 0, err);
}

double open_instruct_sniff_metadata(const struct head *h)
{
    static const char *const names[] = {"run_name", "git_commit", "model_name"};
    return h->n_columns == 0 && sniff_count(h, names, 3) == 3 ? 0.9 : 0;
}

enum status open_instruct_read_metadata(struct reader *r, struct err *err)
{
    return reader_rows(r, take_metadata, NULL, err);
}
