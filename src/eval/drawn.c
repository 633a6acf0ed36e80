#include "eval/drawn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/jsonl.h"

/* A prompt's place by its name. */
struct named {
    const char *id;
    size_t at;
};

struct reading {
    struct drawn *out;
    const struct setup *s;
    struct named *named; // [n] by id
    size_t n;
    size_t prompts, samples; // wanted
    const char *path;
};

static int by_id(const void *a, const void *b)
{
    const struct named *x = a;
    const struct named *y = b;
    return strcmp(x->id, y->id);
}

static enum status grow(struct drawn *d, struct err *err)
{
    size_t room = d->room > 0 ? 2 * d->room : 256;
    struct drawn_reply *grown = mem_grow(d->reply, d->n, room, sizeof *grown);
    if (grown == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu samples", room);
    d->reply = grown;
    d->room = room;
    return OK;
}

/* The ids of a row into the pool, each checked. */
static enum status read_tokens(const struct reading *r, const struct json *row,
                               size_t len_prompt, size_t line, struct err *err)
{
    const struct model *m = &r->s->reference;
    const struct json *tokens = json_get(row, "tokens");
    size_t n = json_size(tokens);
    if (!json_is_array(tokens) || n == 0)
        return err_set(err, ERR_FORMAT, "%s:%zu: no list of \"tokens\"",
                       r->path, line);
    if (len_prompt + n > m->config.T_max)
        return err_set(err, ERR_FORMAT,
                       "%s:%zu: %zu tokens behind a prompt of %zu are more "
                       "than the models' %zu positions",
                       r->path, line, n, len_prompt, m->config.T_max);
    for (size_t t = 0; t < n; t++) {
        int64_t id = json_int(json_at(tokens, t), -1);
        if (id < 0 || (size_t)id >= m->config.V)
            return err_set(err, ERR_FORMAT,
                           "%s:%zu: token %zu is none of 0..%zu", r->path, line,
                           t + 1, m->config.V - 1);
        if (m->banned != NULL && m->banned[id])
            return err_set(err, ERR_MISMATCH,
                           "%s:%zu: token %lld may not be sampled", r->path,
                           line, (long long)id);
        TRY(ids_push(&r->out->pool, (int32_t)id, err));
    }
    return OK;
}

static enum status find_prompt(size_t *out, const struct reading *r,
                               const struct json *row, size_t line,
                               struct err *err)
{
    struct named key;
    TRY(json_need_text(&key.id, row, "prompt_id", r->path, err));
    const struct named *found =
        bsearch(&key, r->named, r->n, sizeof key, by_id);
    if (found == NULL)
        return err_set(err, ERR_MISMATCH,
                       "%s:%zu: prompt '%s' is not in %s; the samples are of "
                       "other prompts",
                       r->path, line, key.id, r->s->config->prompts);
    *out = found->at;
    return OK;
}

enum status drawn_whose(bool *is_policy, const struct json *row,
                        const char *path, size_t line, struct err *err)
{
    const char *which;
    TRY(json_need_text(&which, row, "which", path, err));
    *is_policy = strcmp(which, "policy") == 0;
    if (!*is_policy && strcmp(which, "reference") != 0)
        return err_set(err, ERR_FORMAT,
                       "%s:%zu: \"which\" is '%s', neither policy nor "
                       "reference",
                       path, line, which);
    return OK;
}

static enum status add_row(void *ctx, const struct json *row, size_t line,
                           struct err *err)
{
    const struct reading *r = ctx;
    struct drawn *d = r->out;
    bool is_policy;
    size_t prompt, before = d->pool.n;
    int64_t sample = json_int(json_get(row, "sample"), -1);
    TRY(drawn_whose(&is_policy, row, r->path, line, err));
    TRY(find_prompt(&prompt, r, row, line, err));
    if (prompt >= r->prompts || sample < 0 || (uint64_t)sample >= r->samples)
        return OK;
    const struct sequence *asked = &r->s->prompt[prompt];
    TRY(read_tokens(r, row, asked->len_prompt, line, err));
    if (d->n == d->room)
        TRY(grow(d, err));
    d->reply[d->n++] = (struct drawn_reply){
        .prompt = prompt,
        .sample = sample,
        .is_policy = is_policy,
        .is_eos = json_bool(json_get(row, "is_eos"), false),
        .score = json_number(json_get(row, "score"), (double)NAN),
        .seq = {.prompt = asked->prompt,
                .len_prompt = asked->len_prompt,
                .len_response = d->pool.n - before},
    };
    return OK;
}

enum status drawn_read(struct drawn *out, const struct setup *s,
                       const char *path, size_t prompts, size_t samples,
                       struct err *err)
{
    enum status status = OK;
    struct drawn d = {.n = 0};
    struct reading r = {.out = &d,
                        .s = s,
                        .n = (size_t)s->config->n_prompts,
                        .prompts = prompts,
                        .samples = samples,
                        .path = path};
    TRY(MEM_NEW(r.named, r.n, err));
    for (size_t i = 0; i < r.n; i++)
        r.named[i] = (struct named){s->prompts.record[i].id, i};
    qsort(r.named, r.n, sizeof *r.named, by_id);
    TRY_DONE(jsonl_read(path, add_row, &r, err));
    if (d.n == 0)
        TRY_DONE(err_set(err, ERR_MISSING, "%s: no samples", path));
    /* The pool lies still now. */
    for (size_t i = 0, at = 0; i < d.n; i++) {
        d.reply[i].seq.response = d.pool.id + at;
        at += d.reply[i].seq.len_response;
    }
    *out = d;
done:
    mem_free(r.named);
    if (status != OK)
        drawn_free(&d);
    return status;
}

void drawn_free(struct drawn *d)
{
    mem_free(d->reply);
    ids_free(&d->pool);
    *d = (struct drawn){.n = 0};
}

void drawn_keep(struct drawn *d, bool is_policy)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++)
        if (d->reply[i].is_policy == is_policy)
            d->reply[n++] = d->reply[i];
    d->n = n;
}

enum status drawn_text(struct buf *out, const struct setup *s,
                       const struct sequence *seq, struct err *err)
{
    enum status status = OK;
    struct buf raw;
    buf_init(&raw, (size_t)16 << 20);
    TRY_DONE(tokenizer_decode(s->tokenizer, seq->response, seq->len_response,
                              true, &raw, err));
    TRY_DONE(buf_status(&raw, err));
    buf_puts(out, chat_reply(&s->chat, buf_text(&raw)));
    status = buf_status(out, err);
done:
    buf_free(&raw);
    return status;
}
