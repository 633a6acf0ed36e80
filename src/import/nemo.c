#include <math.h>
#include <string.h>

#include "import/readers.h"
#include "import/tokens.h"

/*
 * NeMo-RL's train_data_step{N}.jsonl and val_data_step{N}.jsonl.  Each field is
 * a list of one (value.h sees through it): content, rewards, token_ids,
 * token_loss_mask, generation_logprobs, prev_logprobs, advantages, idx.  Ids
 * and what goes with them are of prompt and response together; the mask is 1
 * where a token is the response's.
 */
struct row {
    const double *token, *mask;
    size_t n; // of both
};

static enum status find_tokens(struct row *out, const struct value *v,
                               struct err *err)
{
    size_t n_mask;
    out->token = value_numbers(value_get(v, "token_ids"), &out->n);
    out->mask = value_numbers(value_get(v, "token_loss_mask"), &n_mask);
    if (out->token == NULL || out->mask == NULL) {
        out->n = 0;
        return OK;
    }
    if (n_mask != out->n)
        return err_set(err, ERR_FORMAT,
                       "\"token_ids\" has %zu items, \"token_loss_mask\" %zu",
                       out->n, n_mask);
    return OK;
}

/* An array of the same length, where it is there; else it is left out. */
static enum status take_array(const float **out, struct reader *r,
                              const struct row *x, const struct value *v,
                              const char *from, const char *to, struct err *err)
{
    size_t n;
    const double *numbers = value_numbers(value_get(v, from), &n);
    if (numbers == NULL || x->n == 0)
        return OK;
    bool fits = n == x->n;
    TRY(notes_field(&r->sink->notes, from, fits ? to : NULL, "nats/token",
                    fits ? "of the response's tokens, by token_loss_mask"
                         : "another length than token_ids",
                    1, err));
    return fits ? tokens_floats(out, r, numbers, x->mask, n, err) : OK;
}

static enum status take_response(struct import_row *out, struct reader *r,
                                 const struct row *x, const struct value *v,
                                 struct err *err)
{
    size_t first = 0;
    if (x->n == 0)
        return OK;
    while (first < x->n && !(x->mask[first] > 0))
        first++;
    TRY(tokens_prompt_id(&out->prompt_id, r, x->token, first, err));
    TRY(tokens_take(&out->token, &out->len, r, x->token, x->mask, x->n,
                    "token_ids", err));
    TRY(notes_field(&r->sink->notes, "token_ids", "tokens", "ids",
                    "the response's; the prompt's make prompt_id", 1, err));
    TRY(take_array(&out->logp_sample, r, x, v, "generation_logprobs",
                   "logp_sample", err));
    TRY(take_array(&out->logp, r, x, v, "prev_logprobs", "logp", err));
    return take_array(&out->advantage, r, x, v, "advantages", "advantage", err);
}

static enum status take_train(struct reader *r, void *ctx,
                              const struct value *v, size_t line,
                              struct err *err)
{
    struct import_row out;
    struct row x;
    (void)ctx;
    (void)line;
    sink_row_init(&out);
    v = value_only(v);
    TRY(find_tokens(&x, v, err));
    TRY(take_response(&out, r, &x, v, err));
    TRY(reader_text(&out.response, r, value_only(value_get(v, "content")),
                    err));
    if (out.response != NULL)
        TRY(notes_field(&r->sink->notes, "content", "response", "text",
                        "prompt and response in one text", 1, err));
    out.score = out.score_raw = value_number(value_get(v, "rewards"));
    TRY(notes_field(&r->sink->notes, "rewards", "score", "score", NULL, 1,
                    err));
    out.step = reader_number(r->name, "step");
    return sink_put_row(r->sink, &out, err);
}

static enum status take_val(struct reader *r, void *ctx, const struct value *v,
                            size_t line, struct err *err)
{
    struct import_reply reply;
    (void)ctx;
    (void)line;
    sink_reply_init(&reply);
    /* What is validated before the first step (grpo.val_at_start) is the model
     * that training began with. */
    reply.step = reader_number(r->name, "step");
    reply.is_policy = reply.step != 0;
    TRY(reader_text(&reply.response, r, value_only(value_get(v, "content")),
                    err));
    TRY(reader_text(&reply.prompt_id, r, value_only(value_get(v, "idx")), err));
    reply.score = value_number(value_get(v, "rewards"));
    TRY(notes_field(&r->sink->notes, "content", "response", "text",
                    "prompt and response in one text", 1, err));
    TRY(notes_field(&r->sink->notes, "idx", "prompt_id", NULL,
                    "the place in the validation set", 1, err));
    TRY(notes_field(&r->sink->notes, "rewards", "score", "score", NULL, 1,
                    err));
    return sink_put_reply(r->sink, &reply, err);
}

static bool is_nemo(const struct head *h)
{
    static const char *const names[] = {"content", "rewards", "idx"};
    return h->n_columns == 0 && sniff_count(h, names, 3) == 3;
}

double nemo_sniff_train(const struct head *h)
{
    return is_nemo(h) && sniff_member(h, "token_ids") != NULL ? 0.95 : 0;
}

double nemo_sniff_val(const struct head *h)
{
    return is_nemo(h) && sniff_member(h, "token_ids") == NULL ? 0.8 : 0;
}

enum status nemo_read_train(struct reader *r, struct err *err)
{
    return reader_rows(r, take_train, NULL, err);
}

enum status nemo_read_val(struct reader *r, struct err *err)
{
    return reader_rows(r, take_val, NULL, err);
}
