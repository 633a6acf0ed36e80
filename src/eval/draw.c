#include "eval/draw.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "eval/program.h"
#include "world/judge.h"

/* A response is at most T_max tokens; no token's text is long. */
#define TEXT_MAX ((size_t)16 << 20)

static enum status judge(struct draw *d, const struct setup *s, size_t i,
                         struct err *err)
{
    size_t p = d->r.prompt[i];
    d->gold[i] = d->help[i] = d->fillers[i] = (double)NAN;
    TRY(features_repetition(&d->repetition[i], d->text[i], strlen(d->text[i]),
                            err));
    if (!s->has_ticket[p])
        return OK;
    struct judgement j;
    TRY(judge_reply(&j, &s->ticket[p], d->text[i], d->r.is_eos[i], err));
    d->gold[i] = j.gold;
    d->help[i] = j.help;
    d->fillers[i] = (double)j.fillers;
    return OK;
}

static enum status read_texts(struct draw *d, const struct setup *s,
                              struct err *err)
{
    enum status status = OK;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < d->r.n; i++) {
        if (d->is_program) {
            TRY_DONE(judge(d, s, i, err));
            continue;
        }
        buf_clear(&text);
        TRY_DONE(tokenizer_decode(s->tokenizer, d->r.seq[i].response,
                                  d->r.seq[i].len_response, true, &text, err));
        TRY_DONE(buf_status(&text, err));
        d->text[i] = mem_strdup(buf_text(&text));
        if (d->text[i] == NULL) {
            status = err_set(err, ERR_MEMORY, "out of memory: a response");
            goto done;
        }
        TRY_DONE(judge(d, s, i, err));
    }
done:
    buf_free(&text);
    return status;
}

static enum status make_room(struct draw *d, size_t n, struct err *err)
{
    if (!d->is_program)
        TRY(MEM_NEW(d->text, n, err));
    TRY(MEM_NEW(d->weak_raw, n, err));
    TRY(MEM_NEW(d->weak_gold, n, err));
    TRY(MEM_NEW(d->base_raw, n, err));
    TRY(MEM_NEW(d->gold, n, err));
    TRY(MEM_NEW(d->help, n, err));
    TRY(MEM_NEW(d->fillers, n, err));
    return MEM_NEW(d->repetition, n, err);
}

/* The replies as a reward model is given them. */
static struct reward_replies replies_of(const struct draw *d,
                                        const struct setup *s)
{
    struct reward_replies replies = rollout_replies(&d->r, s->prompts.record);
    if (d->is_program)
        replies.text = (const char *const *)d->text;
    return replies;
}

/* What the other reward models say, where there are any. */
static enum status ask_others(struct draw *d, const struct setup *s,
                              const struct context *context, struct err *err)
{
    const struct reward_replies replies = replies_of(d, s);
    for (size_t i = 0; i < d->r.n; i++)
        d->weak_raw[i] = d->base_raw[i] = (double)NAN;
    if (s->has_base)
        TRY(reward_reader_score(d->base_raw, &s->base, &replies, context, err));
    if (!s->has_gold)
        return OK;
    return reward_reader_score(d->weak_raw, &s->gold, &replies, context, err);
}

/* `samples` scored replies of a model to every prompt. */
static enum status sample(struct rollout *out, const struct setup *s,
                          const struct model *m, size_t samples,
                          const struct sampling *how, enum draw_part part,
                          const struct context *context, struct err *err)
{
    enum status status = OK;
    struct rollout r = {.n = 0};
    size_t n;
    TRY(mem_multiply(&n, (size_t)s->config->n_prompts, samples, err));
    TRY(rollout_create(&r, n, how->max_new, err));
    for (size_t i = 0; i < n; i++) {
        r.prompt[i] = i / samples;
        r.sample[i] = i % samples;
    }
    TRY_DONE(rollout_sample(&r, m, s->prompt, samples, how, s->config->seed,
                            RNG_HELDOUT, (int64_t)part, context, err));
    TRY_DONE(rollout_score(&r, &s->reward, s->prompts.record, context, err));
    *out = r;
done:
    if (status != OK)
        rollout_free(&r);
    return status;
}

enum status draw_replies(struct draw *out, const struct setup *s,
                         const struct model *m, const struct model *reference,
                         size_t samples, const struct sampling *how,
                         enum draw_part part, const struct context *context,
                         struct err *err)
{
    enum status status = OK;
    const struct scorer_rule rule = {
        .temperature = how->temperature > 0 ? how->temperature : 1};
    struct draw d = {.samples = samples, .is_compared = reference != NULL};
    TRY(sample(&d.r, s, m, samples, how, part, context, err));
    TRY_DONE(make_room(&d, d.r.n, err));
    TRY_DONE(ask_others(&d, s, context, err));
    if (reference != NULL)
        TRY_DONE(rollout_compare(&d.r, m, reference, NULL, NULL, &rule, context,
                                 err));
    TRY_DONE(read_texts(&d, s, err));
    *out = d;
done:
    if (status != OK)
        draw_free(&d);
    return status;
}

enum status draw_best(struct draw *out, const struct setup *s, size_t samples,
                      size_t best_of, const struct sampling *how,
                      enum draw_part part, const struct context *context,
                      struct err *err)
{
    enum status status = OK;
    struct draw d = {.samples = samples};
    struct rollout all;
    size_t drawn;
    TRY(mem_multiply(&drawn, samples, best_of, err));
    TRY(sample(&all, s, &s->reference, drawn, how, part, context, err));
    TRY_DONE(rollout_best(&d.r, &all, best_of, err));
    TRY_DONE(make_room(&d, d.r.n, err));
    TRY_DONE(ask_others(&d, s, context, err));
    TRY_DONE(read_texts(&d, s, err));
    *out = d;
done:
    rollout_free(&all);
    if (status != OK)
        draw_free(&d);
    return status;
}

enum status draw_program(struct draw *out, const struct setup *s,
                         size_t samples, const struct sampling *how,
                         enum draw_part part, const struct context *context,
                         struct err *err)
{
    enum status status = OK;
    struct draw d = {.samples = samples, .is_program = true};
    TRY(program_say(&d.r, &d.text, s, samples, how, part, err));
    const struct reward_replies replies = replies_of(&d, s);
    TRY_DONE(
        reward_reader_score(d.r.score_raw, &s->reward, &replies, context, err));
    TRY_DONE(make_room(&d, d.r.n, err));
    TRY_DONE(ask_others(&d, s, context, err));
    TRY_DONE(read_texts(&d, s, err));
    *out = d;
done:
    if (status != OK)
        draw_free(&d);
    return status;
}

double draw_best_kl(size_t best_of)
{
    double n = (double)best_of;
    return log(n) - (n - 1) / n;
}

void draw_free(struct draw *d)
{
    for (size_t i = 0; d->text != NULL && i < d->r.n; i++)
        mem_free(d->text[i]);
    mem_free(d->text);
    mem_free(d->weak_raw);
    mem_free(d->weak_gold);
    mem_free(d->base_raw);
    mem_free(d->gold);
    mem_free(d->help);
    mem_free(d->fillers);
    mem_free(d->repetition);
    rollout_free(&d->r);
    memset(d, 0, sizeof *d);
}

void draw_scale(struct draw *d, const struct setup *s)
{
    const struct score_scale *gold = &s->gold_scale;
    for (size_t i = 0; i < d->r.n; i++) {
        d->r.score[i] = (d->r.score_raw[i] - s->scale.mean) / s->scale.sd;
        d->weak_gold[i] = (d->weak_raw[i] - gold->mean) / gold->sd;
    }
}

/*
 * The text each token adds: what decoding t + 1 tokens has that decoding t has
 * not.  Where a decoder revises what it said (a character spread over several
 * tokens), the piece starts where the two texts part, so that a reader still
 * sees every character once or nearly so.  A token without text, EOS above
 * all, goes by its name.
 */
static enum status write_pieces(struct json_writer *w, const struct setup *s,
                                const struct sequence *seq, struct err *err)
{
    enum status status = OK;
    struct buf before;
    struct buf now;
    buf_init(&before, TEXT_MAX);
    buf_init(&now, TEXT_MAX);
    json_put_key(w, "pieces");
    json_open(w, '[');
    for (size_t t = 0; t < seq->len_response; t++) {
        struct buf swap = before;
        before = now;
        now = swap;
        buf_clear(&now);
        TRY_DONE(tokenizer_decode(s->tokenizer, seq->response, t + 1, true,
                                  &now, err));
        TRY_DONE(buf_status(&now, err));
        size_t same = 0;
        while (same < before.len && same < now.len &&
               before.data[same] == now.data[same])
            same++;
        /* Two characters may share their first bytes. */
        while (same > 0 && same < now.len &&
               ((unsigned char)now.data[same] & 0xC0) == 0x80)
            same--;
        if (same < now.len)
            json_put_text_len(w, now.data + same, now.len - same);
        else
            json_put_text(w, tokenizer_token(s->tokenizer, seq->response[t]));
    }
    json_close(w, ']');
done:
    buf_free(&before);
    buf_free(&now);
    return status;
}

/* The record's tags and ticket as they stood in the prompts' file. */
static enum status write_extra(struct json_writer *w, const struct setup *s,
                               size_t p, struct err *err)
{
    static const char *const passed[] = {"tags", "ticket"};
    const struct record *r = &s->prompts.record[p];
    struct json *extra = NULL;
    if (r->extra == NULL)
        return OK;
    TRY(json_parse(&extra, r->extra, strlen(r->extra), r->id, err));
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
        const struct json *node = json_get(extra, passed[i]);
        if (node == NULL)
            continue;
        json_put_key(w, passed[i]);
        json_put_node(w, node);
    }
    json_free(extra);
    return OK;
}

static enum status write_row(struct json_writer *w, const struct draw *d,
                             const struct setup *s, size_t i, const char *which,
                             struct err *err)
{
    const struct rollout *r = &d->r;
    const struct sequence *seq = &r->seq[i];
    size_t n = seq->len_response;
    size_t at = r->offset[i];
    const struct record *prompt = &s->prompts.record[r->prompt[i]];
    json_open(w, '{');
    json_field_text(w, "prompt_id", prompt->id);
    json_field_text(w, "prompt", prompt->prompt);
    json_field_text(w, "which", which);
    json_field_int(w, "sample", (int64_t)r->sample[i]);
    json_field_text(w, "response", d->text[i]);
    json_field_ints(w, "tokens", seq->response, n);
    TRY(write_pieces(w, s, seq, err));
    json_field_int(w, "len", (int64_t)n);
    json_field_text(w, "finish", r->is_eos[i] ? "eos" : "length");
    json_field_bool(w, "is_eos", r->is_eos[i]);
    json_field_number(w, "score_raw", r->score_raw[i]);
    json_field_number(w, "score", r->score[i]);
    if (s->has_base)
        json_field_number(w, "base_raw", d->base_raw[i]);
    if (s->has_gold)
        json_field_number(w, "weak_gold", d->weak_gold[i]);
    json_field_number(w, "gold", d->gold[i]);
    json_field_number(w, "help", d->help[i]);
    json_field_number(w, "fillers", d->fillers[i]);
    json_field_number(w, "repeated_sentences", d->repetition[i].sentences);
    json_field_number(w, "repeated_fourgrams", d->repetition[i].fourgrams);
    if (d->is_compared) {
        json_field_floats(w, "logp", r->logp + at, n);
        json_field_floats(w, "logp_ref", r->logp_ref + at, n);
        json_field_floats(w, "kl", r->kl + at, n);
    }
    TRY(write_extra(w, s, r->prompt[i], err));
    json_close(w, '}');
    return OK;
}

enum status draw_write(struct buf *out, const struct draw *d,
                       const struct setup *s, size_t p, const char *which,
                       struct err *err)
{
    for (size_t k = 0; k < d->samples; k++) {
        struct json_writer w;
        json_writer_init(&w, out, false);
        TRY(write_row(&w, d, s, p * d->samples + k, which, err));
        buf_putc(out, '\n');
    }
    return buf_status(out, err);
}
