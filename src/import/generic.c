#include "import/readers.h"
#include "import/rowmap.h"

/* The names that rows of responses have almost everywhere. */
static const struct rule rules[] = {
    {"prompt", TO_PROMPT, NULL, NULL},
    {"query", TO_PROMPT, NULL, NULL},
    {"input", TO_PROMPT, NULL, NULL},
    {"instruction", TO_PROMPT, NULL, NULL},
    {"question", TO_PROMPT, NULL, NULL},
    {"response", TO_RESPONSE, NULL, NULL},
    {"completion", TO_RESPONSE, NULL, NULL},
    {"output", TO_RESPONSE, NULL, NULL},
    {"answer", TO_RESPONSE, NULL, NULL},
    {"model response", TO_RESPONSE, NULL, NULL},
    {"score", TO_SCORE, NULL, NULL},
    {"reward", TO_SCORE, NULL, NULL},
    {"rewards", TO_SCORE, NULL, NULL},
    {"scores", TO_SCORE, NULL, NULL},
    {"score_raw", TO_SCORE_RAW, NULL, NULL},
    {"gold", TO_GOLD, NULL, NULL},
    {"step", TO_STEP, NULL, NULL},
    {"global_step", TO_STEP, NULL, NULL},
    {"iteration", TO_STEP, NULL, NULL},
    {"prompt_id", TO_PROMPT_ID, NULL, NULL},
    {"uid", TO_PROMPT_ID, NULL, NULL},
    {"sample", TO_SAMPLE, NULL, NULL},
    {"sample_idx", TO_SAMPLE, NULL, NULL},
    {"finish", TO_FINISH, NULL, NULL},
    {"finish_reason", TO_FINISH, NULL, NULL},
    {"truncated", TO_TRUNCATED, NULL, NULL},
    {"tokens", TO_TOKENS, NULL, NULL},
    {"response_tokens", TO_TOKENS, NULL, NULL},
    {"n_tokens", TO_N_TOKENS, "tokens", NULL},
    {"response_length", TO_N_TOKENS, "tokens", NULL},
    {"kl", TO_KL_SEQUENCE, "nats/sequence",
     "taken for the sum over the sequence; --map kl=... for a list"},
    {"kl_sequence", TO_KL_SEQUENCE, "nats/sequence", NULL},
    {"logprobs", TO_LOGP, "nats/token", NULL},
    {"logp", TO_LOGP, "nats/token", NULL},
    {"ref_logprobs", TO_LOGP_REF, "nats/token", NULL},
    {"logp_ref", TO_LOGP_REF, "nats/token", NULL},
    {"values", TO_VALUE, "score/token", NULL},
    {"advantages", TO_ADVANTAGE, NULL, NULL},
    {"advantage", TO_ADVANTAGE, NULL, NULL},
};

#define N_RULES (sizeof rules / sizeof *rules)

static enum status put(struct reader *r, const struct value *row,
                       struct err *err)
{
    struct import_row out;
    TRY(rowmap_read(&out, r, row, rules, N_RULES, err));
    bool is_empty = out.prompt == NULL && out.response == NULL &&
                    out.token == NULL && out.score != out.score;
    if (is_empty)
        return sink_skip(r->sink, "no prompt, no response and no score", err);
    return sink_put_row(r->sink, &out, err);
}

/* ---- JSON Lines --------------------------------------------------------- */

static enum status take_row(struct reader *r, void *ctx,
                            const struct value *row, size_t line,
                            struct err *err)
{
    (void)ctx;
    (void)line;
    return put(r, row, err);
}

static double sniff_rows(const struct head *h)
{
    size_t prompt = 0, response = 0, score = 0;
    for (size_t i = 0; i < N_RULES; i++) {
        const char *const name[] = {rules[i].from};
        size_t found = sniff_count(h, name, 1);
        prompt += rules[i].to == TO_PROMPT ? found : 0;
        response += rules[i].to == TO_RESPONSE ? found : 0;
        score += rules[i].to == TO_SCORE ? found : 0;
    }
    bool is_row = response > 0 && (prompt > 0 || score > 0);
    return is_row && score > 0 ? 0.3 : is_row ? 0.2 : 0;
}

double generic_sniff_jsonl(const struct head *h)
{
    return h->n_rows > 0 && h->row[0].kind == VALUE_OBJECT ? sniff_rows(h) : 0;
}

enum status generic_read_jsonl(struct reader *r, struct err *err)
{
    return reader_rows(r, take_row, NULL, err);
}

/* ---- tables ------------------------------------------------------------- */

double generic_sniff_csv(const struct head *h)
{
    return h->n_columns > 1 && h->n_lines > 1 ? sniff_rows(h) : 0;
}

enum status generic_read_csv(struct reader *r, struct err *err)
{
    return reader_table(r, take_row, NULL, err);
}
