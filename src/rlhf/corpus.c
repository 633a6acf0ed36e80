#include "rlhf/corpus.h"

#include <stdbool.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

/* Where a sequence lies in the pool while the pool may still move. */
struct span {
    size_t prompt, response, end;
};

struct encoder {
    struct corpus *corpus;
    struct span *span;
    const struct tokenizer *tokenizer;
    enum chat_template chat;
    int32_t eos;
    size_t max_tokens;
};

/* Was response k cut at the length limit?  `finish` may be NULL: nothing was
 * said, so none was. */
static bool is_cut(const struct json *finish, size_t k)
{
    const struct json *own =
        json_is_array(finish) ? json_at(finish, k) : finish;
    return strcmp(json_text(own, ""), "length") == 0;
}

static enum status encode_one(struct encoder *e, const char *prompt,
                              const char *response, bool is_cut_short,
                              struct err *err)
{
    struct corpus *c = e->corpus;
    struct span *span = &e->span[c->n_seq];
    span->prompt = c->pool.n;
    TRY(chat_encode_prompt(e->tokenizer, e->chat, prompt, &c->pool, err));
    span->response = c->pool.n;
    if (response != NULL)
        TRY(chat_encode_response(e->tokenizer, e->chat, response,
                                 is_cut_short ? -1 : e->eos, &c->pool, err));
    span->end = c->pool.n;
    if (span->response == span->prompt)
        return err_set(err, ERR_FORMAT, "the prompt has no tokens");
    if (span->end - span->prompt > e->max_tokens)
        return err_set(err, ERR_LIMIT,
                       "%zu tokens are more than the limit of %zu",
                       span->end - span->prompt, e->max_tokens);
    c->n_seq++;
    return OK;
}

static enum status encode_record(struct encoder *e, const struct record *r,
                                 struct err *err)
{
    enum status status = OK;
    struct json *extra = NULL;
    /* Most records do not say how their responses ended. */
    if (r->extra != NULL && strstr(r->extra, "\"finish\"") != NULL)
        TRY(json_parse(&extra, r->extra, strlen(r->extra), "its members", err));
    const struct json *finish = json_get(extra, "finish");
    if (r->n_responses == 0)
        TRY_DONE(encode_one(e, r->prompt, r->response, is_cut(finish, 0), err));
    for (size_t k = 0; k < r->n_responses; k++)
        TRY_DONE(
            encode_one(e, r->prompt, r->responses[k], is_cut(finish, k), err));
done:
    json_free(extra);
    return status;
}

static void point_into_pool(struct corpus *c, const struct span *span)
{
    for (size_t i = 0; i < c->n_seq; i++)
        c->seq[i] = (struct sequence){
            .prompt = c->pool.id + span[i].prompt,
            .len_prompt = span[i].response - span[i].prompt,
            .response = c->pool.id + span[i].response,
            .len_response = span[i].end - span[i].response,
        };
}

enum status corpus_encode(struct corpus *out, const struct dataset *data,
                          const struct tokenizer *tokenizer, int32_t eos,
                          size_t max_tokens, struct err *err)
{
    enum status status = OK;
    struct corpus c = {.n_record = data->n};
    struct encoder e = {.corpus = &c,
                        .tokenizer = tokenizer,
                        .eos = eos,
                        .max_tokens = max_tokens};
    size_t room = 0;
    for (size_t i = 0; i < data->n; i++)
        room +=
            data->record[i].n_responses > 0 ? data->record[i].n_responses : 1;
    TRY_DONE(chat_detect(&e.chat, tokenizer, err));
    TRY_DONE(MEM_NEW(e.span, room, err));
    TRY_DONE(MEM_NEW(c.seq, room, err));
    TRY_DONE(MEM_NEW(c.first, data->n + 1, err));
    for (size_t i = 0; i < data->n; i++) {
        status = encode_record(&e, &data->record[i], err);
        if (status != OK) {
            err_context(err, "%s: record '%s'", data->path, data->record[i].id);
            goto done;
        }
        c.first[i + 1] = c.n_seq;
    }
    point_into_pool(&c, e.span);
    *out = c;
done:
    mem_free(e.span);
    if (status != OK)
        corpus_free(&c);
    return status;
}

void corpus_free(struct corpus *c)
{
    mem_free(c->seq);
    mem_free(c->first);
    ids_free(&c->pool);
    memset(c, 0, sizeof *c);
}
