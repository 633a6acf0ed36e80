/*
 * What both models expect at every state of the reference's samples: the same
 * prefixes, so that only the models differ.  Columns:
 *
 *     prompt_id  sample
 *     position       tokens of the reply before the state
 *     is_boundary    a sentence ended with the last of them: its text ends in
 *                    . ? ! or a line's end, white space aside
 *     is_end         the reference ended its reply here
 *     p_eos_policy  p_eos_reference  entropy_policy  entropy_reference
 *     kl  forward_kl  top_policy  top_reference      eval/next_token.h
 */
#include "base/mem.h"
#include "eval/drawn.h"
#include "eval/next_token.h"
#include "eval/probe_file.h"
#include "eval/probe_table.h"

struct row {
    const char *prompt_id;
    int64_t sample, position;
    bool is_boundary, is_end;
    double p_eos_policy, p_eos_reference, entropy_policy, entropy_reference;
    double kl, forward_kl, top_policy, top_reference;
};

struct prefixes {
    struct drawn drawn; // the reference's
    struct sequence *seq;
    size_t *offset;
    struct next_token *at; // [offset[n]]
    bool *ends_sentence;   // [V]
    struct row *row;
};

enum status probe_prefixes_inputs(struct buf *out, const struct probe *p,
                                  struct err *err)
{
    (void)err;
    buf_printf(out, "prompts %lld samples %lld\n",
               (long long)p->config->sizes.prompts,
               (long long)p->config->sizes.samples);
    return OK;
}

/* Which tokens end a sentence. */
static enum status find_ends(bool *ends, const struct setup *s, size_t V,
                             struct err *err)
{
    enum status status = OK;
    struct buf text;
    buf_init(&text, (size_t)1 << 20);
    for (size_t v = 0; v < V; v++) {
        int32_t id = (int32_t)v;
        buf_clear(&text);
        TRY_DONE(tokenizer_decode(s->tokenizer, &id, 1, true, &text, err));
        TRY_DONE(buf_status(&text, err));
        size_t n = text.len;
        while (n > 0 && (text.data[n - 1] == ' ' || text.data[n - 1] == '\t'))
            n--;
        if (n == 0)
            continue;
        char last = text.data[n - 1];
        ends[v] = last == '.' || last == '?' || last == '!' || last == '\n';
    }
done:
    buf_free(&text);
    return status;
}

static enum status load(struct prefixes *x, const struct probe *p,
                        struct err *err)
{
    const struct setup *s = &p->setup;
    size_t V = s->policy.config.V, N;
    TRY(drawn_read(&x->drawn, s, p->samples, (size_t)p->config->sizes.prompts,
                   (size_t)p->config->sizes.samples, err));
    drawn_keep(&x->drawn, false);
    TRY(MEM_NEW(x->seq, x->drawn.n, err));
    TRY(MEM_NEW(x->offset, x->drawn.n + 1, err));
    for (size_t i = 0; i < x->drawn.n; i++)
        x->seq[i] = x->drawn.reply[i].seq;
    batch_offsets(x->offset, x->seq, x->drawn.n);
    N = x->offset[x->drawn.n];
    TRY(MEM_NEW(x->at, N, err));
    TRY(MEM_NEW(x->row, N, err));
    TRY(MEM_NEW(x->ends_sentence, V, err));
    return find_ends(x->ends_sentence, s, V, err);
}

static void describe(struct prefixes *x, const struct probe *p, size_t i)
{
    const struct drawn_reply *reply = &x->drawn.reply[i];
    const struct sequence *seq = &reply->seq;
    for (size_t t = 0; t < seq->len_response; t++) {
        const struct next_token *d = &x->at[x->offset[i] + t];
        const struct next_token_model *policy = &d->of[NEXT_TOKEN_POLICY];
        const struct next_token_model *ref = &d->of[NEXT_TOKEN_REFERENCE];
        x->row[x->offset[i] + t] = (struct row){
            .prompt_id = p->setup.prompts.record[reply->prompt].id,
            .sample = reply->sample,
            .position = (int64_t)t,
            .is_boundary = t > 0 && x->ends_sentence[seq->response[t - 1]],
            .is_end = reply->is_eos && t + 1 == seq->len_response,
            .p_eos_policy = policy->p_eos,
            .p_eos_reference = ref->p_eos,
            .entropy_policy = policy->entropy,
            .entropy_reference = ref->entropy,
            .kl = d->kl,
            .forward_kl = d->forward_kl,
            .top_policy = policy->top,
            .top_reference = ref->top,
        };
    }
}

static void put(struct json_writer *w, const struct prefixes *x)
{
    const struct row *row = x->row;
    const struct probe_column column[] = {
        PROBE_COLUMN(row, prompt_id),
        PROBE_COLUMN(row, sample),
        PROBE_COLUMN(row, position),
        PROBE_COLUMN(row, is_boundary),
        PROBE_COLUMN(row, is_end),
        PROBE_COLUMN(row, p_eos_policy),
        PROBE_COLUMN(row, p_eos_reference),
        PROBE_COLUMN(row, entropy_policy),
        PROBE_COLUMN(row, entropy_reference),
        PROBE_COLUMN(row, kl),
        PROBE_COLUMN(row, forward_kl),
        PROBE_COLUMN(row, top_policy),
        PROBE_COLUMN(row, top_reference),
    };
    json_field_int(w, "replies", (int64_t)x->drawn.n);
    probe_put_columns(w, column, sizeof column / sizeof *column,
                      x->offset[x->drawn.n]);
}

static void prefixes_free(struct prefixes *x)
{
    drawn_free(&x->drawn);
    mem_free(x->seq);
    mem_free(x->offset);
    mem_free(x->at);
    mem_free(x->ends_sentence);
    mem_free(x->row);
}

enum status probe_prefixes(struct json_writer *w, const struct probe *p,
                           struct err *err)
{
    enum status status = OK;
    struct prefixes x = {.seq = NULL};
    TRY_DONE(load(&x, p, err));
    TRY_DONE(next_token_read(x.at, &p->setup.policy, &p->setup.reference, x.seq,
                             x.drawn.n, x.offset, p->context, err));
    for (size_t i = 0; i < x.drawn.n; i++)
        describe(&x, p, i);
    put(w, &x);
done:
    prefixes_free(&x);
    return status;
}
