/*
 * Does the frozen reference know its own training data better than others of
 * the same kind, and how sure of itself is it?
 *
 *     "train":{"nll","tokens","sequences"}   nats per token of the replies in
 *     "heldout":{...}                        its SFT run's demonstrations
 *     "own":{"entropy","top","tokens","sequences"}   means over the states of
 *                                            its own samples
 *     "missing"   why train and heldout are null, or null
 *
 * Columns: prompt_id, split ("train" or "heldout"), nll (a reply's sum) and
 * tokens, a row a demonstration.
 */
#include <math.h>

#include "base/mem.h"
#include "eval/drawn.h"
#include "eval/next_token.h"
#include "eval/probe_file.h"
#include "eval/probe_stage.h"
#include "eval/probe_table.h"

struct row {
    const char *prompt_id, *split;
    double nll;
    int64_t tokens;
};

struct split {
    double nll;
    int64_t tokens, sequences;
};

/* The demonstrations that are read. */
struct demos {
    struct dataset data;
    struct corpus corpus;
    struct sequence *seq; // [n] trained on, then held out
    struct row *row;      // [n]
    size_t n;
    size_t *offset;
    struct next_token *at;
    struct split train, heldout;
};

enum status probe_reference_inputs(struct buf *out, const struct probe *p,
                                   struct err *err)
{
    (void)err;
    const struct probe_sizes *z = &p->config->sizes;
    const struct probe_stage *s = &p->config->sft_stage;
    buf_printf(out, "sft %s demos %lld prompts %lld samples %lld\n",
               s->missing == NULL ? s->config_hash : "none",
               (long long)z->demos, (long long)z->prompts,
               (long long)z->samples);
    return OK;
}

static void demos_free(struct demos *d)
{
    mem_free(d->seq);
    mem_free(d->row);
    mem_free(d->offset);
    mem_free(d->at);
    corpus_free(&d->corpus);
    dataset_free(&d->data);
}

/* The data as the SFT run read them, laid out as the reference is asked. */
static enum status load(struct demos *d, const struct probe *p, struct err *err)
{
    const struct probe_stage *stage = &p->config->sft_stage;
    const struct sft_config *c = p->config->sft;
    const struct setup *s = &p->setup;
    const struct corpus_files files = {.path = c->data, .kind = DATASET_DEMOS};
    struct data_config how = stage->data;
    size_t most = s->reference.config.T_max;
    how.template = NULL; // the model's own, which it was trained with
    if ((size_t)c->max_tokens < most)
        most = (size_t)c->max_tokens;
    TRY(probe_stage_check(stage, c->data, err));
    return corpus_load(&d->corpus, &d->data, &files, &how, s->tokenizer,
                       s->reference.config.eos, most, NULL, err);
}

/* Nothing predicts the first token of a text without a prompt. */
static struct sequence with_start(const struct sequence *s)
{
    if (s->len_prompt > 0 || s->len_response == 0)
        return *s;
    return (struct sequence){.prompt = s->response,
                             .len_prompt = 1,
                             .response = s->response + 1,
                             .len_response = s->len_response - 1};
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The first so many of those trained on and of those held out. */
static enum status choose(struct demos *d, const struct probe *p,
                          struct err *err)
{
    size_t N = d->corpus.n_seq;
    size_t trained = sft_training_records(p->config->sft, N);
    size_t most = (size_t)p->config->sizes.demos;
    size_t n_train = smaller(most, trained);
    d->n = n_train + smaller(most, N - trained);
    TRY(MEM_NEW(d->seq, d->n, err));
    TRY(MEM_NEW(d->row, d->n, err));
    TRY(MEM_NEW(d->offset, d->n + 1, err));
    for (size_t i = 0; i < d->n; i++) {
        size_t from = i < n_train ? i : trained + i - n_train;
        d->seq[i] = with_start(&d->corpus.seq[from]);
        d->row[i] = (struct row){
            .prompt_id = d->data.record[from].id,
            .split = from < trained ? "train" : "heldout",
            .tokens = (int64_t)d->seq[i].len_response,
        };
    }
    batch_offsets(d->offset, d->seq, d->n);
    return MEM_NEW(d->at, d->offset[d->n], err);
}

static enum status read_demos(struct demos *d, const struct probe *p,
                              struct err *err)
{
    TRY(load(d, p, err));
    TRY(choose(d, p, err));
    TRY(next_token_read(d->at, &p->setup.reference, NULL, d->seq, d->n,
                        d->offset, p->context, err));
    for (size_t i = 0; i < d->n; i++) {
        struct split *split =
            d->row[i].split[0] == 't' ? &d->train : &d->heldout;
        for (size_t t = d->offset[i]; t < d->offset[i + 1]; t++)
            d->row[i].nll += d->at[t].of[NEXT_TOKEN_POLICY].nll;
        split->nll += d->row[i].nll;
        split->tokens += d->row[i].tokens;
        split->sequences++;
    }
    return OK;
}

static void put_split(struct json_writer *w, const char *key,
                      const struct split *s)
{
    json_put_key(w, key);
    if (s->tokens == 0) {
        json_put_null(w);
        return;
    }
    json_open(w, '{');
    json_field_number(w, "nll", s->nll / (double)s->tokens);
    json_field_int(w, "tokens", s->tokens);
    json_field_int(w, "sequences", s->sequences);
    json_close(w, '}');
}

static void put_demos(struct json_writer *w, const struct demos *d)
{
    const struct probe_column column[] = {
        PROBE_COLUMN(d->row, prompt_id), PROBE_COLUMN(d->row, split),
        PROBE_COLUMN(d->row, nll), PROBE_COLUMN(d->row, tokens)};
    put_split(w, "train", &d->train);
    put_split(w, "heldout", &d->heldout);
    json_field_text(w, "missing", NULL);
    probe_put_columns(w, column, sizeof column / sizeof *column, d->n);
}

static void put_missing(struct json_writer *w, const char *why)
{
    const struct split none = {.tokens = 0};
    put_split(w, "train", &none);
    put_split(w, "heldout", &none);
    json_field_text(w, "missing", why);
    probe_put_columns(w, NULL, 0, 0);
}

/* Means over the states of the reference's own samples. */
static enum status put_own(struct json_writer *w, const struct drawn *drawn,
                           const struct probe *p, struct err *err)
{
    enum status status = OK;
    struct sequence *seq = NULL;
    size_t *offset = NULL;
    struct next_token *at = NULL;
    double entropy = 0, top = 0;
    TRY_DONE(MEM_NEW(seq, drawn->n, err));
    TRY_DONE(MEM_NEW(offset, drawn->n + 1, err));
    for (size_t i = 0; i < drawn->n; i++)
        seq[i] = drawn->reply[i].seq;
    batch_offsets(offset, seq, drawn->n);
    size_t N = offset[drawn->n];
    TRY_DONE(MEM_NEW(at, N, err));
    TRY_DONE(next_token_read(at, &p->setup.reference, NULL, seq, drawn->n,
                             offset, p->context, err));
    for (size_t t = 0; t < N; t++) {
        entropy += at[t].of[NEXT_TOKEN_POLICY].entropy;
        top += at[t].of[NEXT_TOKEN_POLICY].top;
    }
    json_put_key(w, "own");
    json_open(w, '{');
    json_field_number(w, "entropy", entropy / (double)N);
    json_field_number(w, "top", top / (double)N);
    json_field_int(w, "tokens", (int64_t)N);
    json_field_int(w, "sequences", (int64_t)drawn->n);
    json_close(w, '}');
done:
    mem_free(seq);
    mem_free(offset);
    mem_free(at);
    return status;
}

static enum status ask_own(struct json_writer *w, const struct probe *p,
                           struct err *err)
{
    struct drawn drawn;
    TRY(drawn_read(&drawn, &p->setup, p->samples,
                   (size_t)p->config->sizes.prompts,
                   (size_t)p->config->sizes.samples, err));
    drawn_keep(&drawn, false);
    enum status status = put_own(w, &drawn, p, err);
    drawn_free(&drawn);
    return status;
}

enum status probe_reference(struct json_writer *w, const struct probe *p,
                            struct err *err)
{
    struct demos d = {.n = 0};
    struct err why = {.code = OK};
    enum status status = OK;
    if (p->config->sft_stage.missing != NULL)
        status = err_set(&why, ERR_MISSING, "%s", p->config->sft_stage.missing);
    else
        status = read_demos(&d, p, &why);
    bool is_missing = status == ERR_MISSING || status == ERR_MISMATCH;
    if (status == OK)
        put_demos(w, &d);
    else if (is_missing)
        put_missing(w, why.text);
    else
        *err = why;
    demos_free(&d);
    return status == OK || is_missing ? ask_own(w, p, err) : status;
}
