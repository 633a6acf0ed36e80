#include "rlhf/corpus.h"

#include <stdbool.h>
#include <stdlib.h>
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
    size_t max_tokens;
    enum corpus_too_long too_long;
    bool no_replies; // prompts alone are wanted
    /* the record being worked on */
    struct ids prompt;
    struct ids replies;
    size_t offset[DATASET_RESPONSES_MAX + 1]; // into replies
    size_t n_replies;
};

/* Was response k cut at the length limit?  `finish` may be NULL: nothing was
 * said, so none was. */
static bool is_cut(const struct json *finish, size_t k)
{
    const struct json *own =
        json_is_array(finish) ? json_at(finish, k) : finish;
    return strcmp(json_text(own, ""), "length") == 0;
}

enum status corpus_encode_prompt(struct ids *out, const struct record *r,
                                 const struct tokenizer *tokenizer,
                                 const struct chat *chat, struct err *err)
{
    if (r->dialogue.n > 0)
        return chat_encode_messages(tokenizer, chat, r->dialogue.turn,
                                    r->dialogue.n, out, err);
    return chat_encode_prompt(tokenizer, chat, r->prompt, out, err);
}

/* ---- one record --------------------------------------------------------- */

static enum status encode_reply(struct encoder *e, const struct record *r,
                                const char *response, bool is_short,
                                struct err *err)
{
    static const struct chat plain = {.template = CHAT_NONE};
    const struct corpus *c = e->corpus;
    TRY(chat_encode_response(e->tokenizer, r->is_raw ? &plain : &c->chat,
                             response, is_short ? -1 : c->end, &e->replies,
                             err));
    e->offset[++e->n_replies] = e->replies.n;
    return OK;
}

enum status corpus_find_cut(bool cut[DATASET_RESPONSES_MAX],
                            const struct record *r, struct err *err)
{
    struct json *extra;
    for (size_t k = 0; k < DATASET_RESPONSES_MAX; k++)
        cut[k] = false;
    /* Most records do not say how their responses ended. */
    if (r->extra == NULL || strstr(r->extra, "\"finish\"") == NULL)
        return OK;
    TRY(json_parse(&extra, r->extra, strlen(r->extra), "its members", err));
    const struct json *finish = json_get(extra, "finish");
    for (size_t k = 0; k < r->n_responses || k == 0; k++)
        cut[k] = is_cut(finish, k);
    json_free(extra);
    return OK;
}

static enum status encode_replies(struct encoder *e, const struct record *r,
                                  struct err *err)
{
    bool cut[DATASET_RESPONSES_MAX];
    e->replies.n = e->n_replies = 0;
    if (e->no_replies)
        return OK;
    TRY(corpus_find_cut(cut, r, err));
    if (r->n_responses == 0 && r->response != NULL)
        return encode_reply(e, r, r->response, cut[0], err);
    for (size_t k = 0; k < r->n_responses; k++)
        TRY(encode_reply(e, r, r->responses[k], cut[k], err));
    return OK;
}

/* Is there nothing of a sequence, so that no state can be read from it? */
static bool has_empty(const struct encoder *e)
{
    for (size_t k = 0; k < e->n_replies || k == 0; k++)
        if (e->prompt.n == 0 &&
            (e->n_replies == 0 || e->offset[k + 1] == e->offset[k]))
            return true;
    return false;
}

/* The longest sequence of the record. */
static size_t longest(const struct encoder *e)
{
    size_t most = 0;
    for (size_t k = 0; k < e->n_replies; k++)
        if (e->offset[k + 1] - e->offset[k] > most)
            most = e->offset[k + 1] - e->offset[k];
    return e->prompt.n + most;
}

/* Leave out the oldest turns while it is too long: up to the next question,
 * never the system's message or the last one. */
static enum status drop_turns(struct encoder *e, const struct record *r,
                              struct err *err)
{
    enum status status = OK;
    size_t n = r->dialogue.n;
    const struct chat_message *turn = r->dialogue.turn;
    size_t head = n > 0 && strcmp(turn[0].role, "system") == 0;
    struct chat_message *kept;
    TRY(MEM_NEW(kept, n, err));
    for (size_t from = head + 1; from < n && longest(e) > e->max_tokens;
         from++) {
        if (strcmp(turn[from].role, "user") != 0)
            continue;
        if (head > 0)
            kept[0] = turn[0];
        memcpy(kept + head, turn + from, (n - from) * sizeof *kept);
        e->prompt.n = 0;
        TRY_DONE(chat_encode_messages(e->tokenizer, &e->corpus->chat, kept,
                                      head + n - from, &e->prompt, err));
    }
done:
    mem_free(kept);
    return status;
}

/* Does the record, whole or cut, fit the limit? */
static enum status fit(struct encoder *e, const struct record *r, bool *fits,
                       struct err *err)
{
    struct corpus *c = e->corpus;
    *fits = longest(e) <= e->max_tokens;
    if (*fits)
        return OK;
    if (e->too_long == TOO_LONG_REFUSE)
        return err_set(err, ERR_LIMIT,
                       "%zu tokens are more than the limit of %zu; "
                       "data.too_long can skip such records or cut them",
                       longest(e), e->max_tokens);
    if (e->too_long == TOO_LONG_TRUNCATE)
        TRY(drop_turns(e, r, err));
    *fits = e->too_long == TOO_LONG_TRUNCATE &&
            e->prompt.n + (e->n_replies > 0) <= e->max_tokens;
    c->n_too_long += !*fits;
    c->n_truncated += *fits;
    return OK;
}

static enum status push_all(struct ids *out, const struct ids *from,
                            size_t first, size_t last, struct err *err)
{
    for (size_t i = first; i < last; i++)
        TRY(ids_push(out, from->id[i], err));
    return OK;
}

/* Reply k behind its own copy of the prompt; k == n_replies: no reply. */
static enum status push_sequence(struct encoder *e, size_t k, struct err *err)
{
    struct corpus *c = e->corpus;
    struct span *span = &e->span[c->n_seq];
    size_t first = k < e->n_replies ? e->offset[k] : 0;
    size_t last = k < e->n_replies ? e->offset[k + 1] : 0;
    if (last - first > e->max_tokens - e->prompt.n)
        last = first + e->max_tokens - e->prompt.n;
    span->prompt = c->pool.n;
    TRY(push_all(&c->pool, &e->prompt, 0, e->prompt.n, err));
    span->response = c->pool.n;
    TRY(push_all(&c->pool, &e->replies, first, last, err));
    span->end = c->pool.n;
    c->n_seq++;
    return OK;
}

static enum status encode_record(struct encoder *e, const struct record *r,
                                 bool *fits, struct err *err)
{
    e->prompt.n = 0;
    if (r->is_raw) {
        TRY(chat_encode_start(e->tokenizer, &e->prompt, err));
    } else {
        TRY(corpus_encode_prompt(&e->prompt, r, e->tokenizer, &e->corpus->chat,
                                 err));
        if (e->prompt.n == 0)
            return err_set(err, ERR_FORMAT, "the prompt has no tokens");
    }
    TRY(encode_replies(e, r, err));
    if (has_empty(e))
        return err_set(err, ERR_FORMAT, "the text has no tokens");
    TRY(fit(e, r, fits, err));
    if (!*fits)
        return OK;
    for (size_t k = 0; k < e->n_replies || k == 0; k++)
        TRY(push_sequence(e, k, err));
    return OK;
}

/* ---- all records -------------------------------------------------------- */

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

/* keep[i] tells whether record i is in the corpus. */
static enum status encode_all(struct corpus *c, bool *keep,
                              const struct dataset *data, struct encoder *e,
                              struct err *err)
{
    size_t room = 0;
    for (size_t i = 0; i < data->n; i++)
        room +=
            data->record[i].n_responses > 0 ? data->record[i].n_responses : 1;
    TRY(MEM_NEW(e->span, room, err));
    TRY(MEM_NEW(c->seq, room, err));
    TRY(MEM_NEW(c->first, data->n + 1, err));
    for (size_t i = 0; i < data->n; i++) {
        enum status status = encode_record(e, &data->record[i], &keep[i], err);
        if (status != OK) {
            err_context(err, "%s: record '%s'", data->path, data->record[i].id);
            return status;
        }
        c->n_record += keep[i];
        c->first[c->n_record] = c->n_seq;
    }
    point_into_pool(c, e->span);
    return OK;
}

static enum status encode(struct corpus *out, bool *keep,
                          const struct dataset *data, bool no_replies,
                          const struct data_config *config,
                          const struct tokenizer *tokenizer, int32_t eos,
                          size_t max_tokens, struct err *err)
{
    struct corpus c = {.n_record = 0};
    struct encoder e = {.corpus = &c,
                        .tokenizer = tokenizer,
                        .max_tokens = max_tokens,
                        .no_replies = no_replies,
                        .too_long = (enum corpus_too_long)config->too_long};
    enum status status =
        chat_open(&c.chat, tokenizer, config->template, config->date, err);
    if (status == OK) {
        c.end = chat_end(&c.chat, tokenizer, eos);
        status = encode_all(&c, keep, data, &e, err);
    }
    mem_free(e.span);
    ids_free(&e.prompt);
    ids_free(&e.replies);
    if (status != OK) {
        corpus_free(&c);
        return status;
    }
    *out = c;
    return OK;
}

enum status corpus_encode(struct corpus *out, const struct dataset *data,
                          const struct tokenizer *tokenizer, int32_t eos,
                          size_t max_tokens, struct err *err)
{
    static const struct data_config strict = {.too_long = TOO_LONG_REFUSE};
    bool *keep;
    TRY(MEM_NEW(keep, data->n, err));
    enum status status = encode(out, keep, data, false, &strict, tokenizer, eos,
                                max_tokens, err);
    mem_free(keep);
    return status;
}

/* ---- files -------------------------------------------------------------- */

static void say_counts(const struct corpus *c, const struct dataset *d,
                       const struct context *context)
{
    context_info(context,
                 "%s: %zu records read; skipped: %zu bad, %zu too long, %zu "
                 "without use; %zu cut",
                 d->path, d->count.read, d->count.bad, c->n_too_long,
                 d->count.unused, c->n_truncated);
}

/* Read a file's records and put them before or behind those of `d`, under
 * whose name they all stand.  *n: how many there are. */
static enum status join(struct dataset *d, size_t *n, const char *path,
                        bool is_before, enum dataset_kind kind,
                        const struct data_config *c,
                        const struct context *context, struct err *err)
{
    struct dataset more = {0};
    TRY(dataset_load(&more, path, kind, &c->dataset, context, err));
    *n = more.n;
    if (is_before) {
        struct dataset first = more;
        more = *d;
        *d = first;
        d->path = more.path;
        d->format = more.format;
        more.path = first.path;
    }
    enum status status = dataset_append(d, &more, err);
    if (status != OK)
        dataset_free(&more);
    return status;
}

enum status corpus_load(struct corpus *out, struct dataset *data,
                        const struct corpus_files *files,
                        const struct data_config *c,
                        const struct tokenizer *tokenizer, int32_t eos,
                        size_t max_tokens, const struct context *context,
                        struct err *err)
{
    enum status status = OK;
    struct dataset d = {0};
    size_t n_extra = 0, n_heldout = 0;
    bool *keep = NULL;
    TRY(dataset_load(&d, files->path, files->kind, &c->dataset, context, err));
    if (files->kind == DATASET_RANKINGS)
        TRY_DONE(dataset_gather(&d, err));
    if (files->extra != NULL)
        TRY_DONE(join(&d, &n_extra, files->extra, true, files->kind, c, context,
                      err));
    if (files->heldout != NULL)
        TRY_DONE(join(&d, &n_heldout, files->heldout, false, files->kind, c,
                      context, err));
    TRY_DONE(MEM_NEW(keep, d.n, err));
    TRY_DONE(encode(out, keep, &d, files->kind == DATASET_PROMPTS, c, tokenizer,
                    eos, max_tokens, err));
    for (size_t i = 0; i < d.n - n_heldout; i++) {
        out->n_train += keep[i];
        out->n_extra += i < n_extra && keep[i];
    }
    dataset_filter(&d, keep);
    say_counts(out, &d, context);
    *data = d;
    d = (struct dataset){0};
done:
    dataset_free(&d);
    mem_free(keep);
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum status corpus_count_shared(size_t *shared, const struct dataset *data,
                                size_t n, size_t from, struct err *err)
{
    const char **prompt;
    size_t count = data->n - from;
    *shared = 0;
    if (count == 0)
        return OK;
    TRY(MEM_NEW(prompt, count, err));
    for (size_t i = 0; i < count; i++)
        prompt[i] = data->record[from + i].prompt;
    qsort(prompt, count, sizeof *prompt, by_text);
    for (size_t i = 0; i < n; i++) {
        const char *own = data->record[i].prompt;
        *shared +=
            bsearch(&own, prompt, count, sizeof *prompt, by_text) != NULL;
    }
    mem_free(prompt);
    return OK;
}

void corpus_put_counts(struct json_writer *w, const struct corpus *c,
                       const struct dataset *data)
{
    json_put_key(w, "data");
    json_open(w, '{');
    json_field_text(w, "format", dataset_format_name(data->format));
    json_field_text(w, "chat_template", chat_name(c->chat.template));
    json_field_int(w, "read", (int64_t)data->count.read);
    json_field_int(w, "skipped_bad", (int64_t)data->count.bad);
    json_field_int(w, "skipped_too_long", (int64_t)c->n_too_long);
    json_field_int(w, "unused", (int64_t)data->count.unused);
    json_field_int(w, "truncated", (int64_t)c->n_truncated);
    json_close(w, '}');
}

void corpus_free(struct corpus *c)
{
    mem_free(c->seq);
    mem_free(c->first);
    ids_free(&c->pool);
    memset(c, 0, sizeof *c);
}
