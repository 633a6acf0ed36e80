#include "rlhf/speaker.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/run.h"
#include "model/checkpoint.h"
#include "rlhf/best_of.h"
#include "rlhf/policy_command.h"

#define REPLY_MAX ((size_t)8 << 20) // bytes of a reply's text
#define EXTRA_MAX ((size_t)8 << 20)
#define CHUNK 256 // prompts generated at a time, a bound on memory

enum status speaker_open(struct speaker *s, const char *path, const char *chat,
                         int precision, struct err *err)
{
    enum status status = OK;
    memset(s, 0, sizeof *s);
    TRY(run_find_model(s->path, path, NULL, err));
    TRY_DONE(checkpoint_read_as(&s->model, s->path, HEAD_LM,
                                (enum model_precision)precision, err));
    TRY_DONE(checkpoint_tokenizer(&s->tokenizer, s->path, err));
    TRY_DONE(checkpoint_check_tokenizer(&s->model, s->tokenizer, s->path, err));
    TRY_DONE(chat_open(&s->chat, s->tokenizer, chat, NULL, err));
    s->model.config.eos = chat_end(&s->chat, s->tokenizer, s->model.config.eos);
done:
    if (status != OK)
        speaker_close(s);
    return status;
}

enum status speaker_open_command(struct speaker *s,
                                 const struct outside_config *command,
                                 const struct context *context, struct err *err)
{
    memset(s, 0, sizeof *s);
    return outside_open(&s->outside, OUTSIDE_POLICY, command, context, err);
}

void speaker_close(struct speaker *s)
{
    outside_close(s->outside);
    tokenizer_free(s->tokenizer);
    model_free(&s->model);
    memset(s, 0, sizeof *s);
}

void speaker_free_reply(struct speaker_reply *r)
{
    ids_free(&r->ids);
    mem_free(r->logp);
    buf_free(&r->text);
    *r = (struct speaker_reply){0};
}

/* Prompts of a chunk as ids, and the room its jobs write to. */
struct chunk {
    struct ids *prompt; // [n]
    struct generate_job *job;
    int32_t *token; // [jobs * max_new]
    float *logp;
    size_t n, jobs;
};

static void chunk_free(struct chunk *c)
{
    for (size_t i = 0; c->prompt && i < c->n; i++)
        ids_free(&c->prompt[i]);
    mem_free(c->prompt);
    mem_free(c->job);
    mem_free(c->token);
    mem_free(c->logp);
}

static enum status check_length(const struct ids *prompt,
                                const struct speaker *s, struct err *err)
{
    if (prompt->n == 0 || prompt->n >= s->model.config.T_max)
        return err_set(err, ERR_LIMIT,
                       "a prompt of %zu tokens: the model takes 1 to %zu",
                       prompt->n, s->model.config.T_max - 1);
    return OK;
}

enum status speaker_encode(struct ids *out, const struct speaker *s,
                           const char *prompt, struct err *err)
{
    TRY(chat_encode_prompt(s->tokenizer, &s->chat, prompt, out, err));
    return check_length(out, s, err);
}

static enum status copy_ids(struct ids *out, const struct ids *prompt,
                            const struct speaker *s, struct err *err)
{
    for (size_t i = 0; i < prompt->n; i++)
        TRY(ids_push(out, prompt->id[i], err));
    return check_length(out, s, err);
}

static enum status chunk_make(struct chunk *c, const struct speaker *s,
                              const struct speaker_prompts *p, size_t samples,
                              size_t max_new, struct err *err)
{
    size_t tokens;
    *c = (struct chunk){.n = p->n, .jobs = p->n * samples};
    TRY(mem_multiply(&tokens, c->jobs, max_new, err));
    TRY(MEM_NEW(c->prompt, c->n, err));
    TRY(MEM_NEW(c->job, c->jobs, err));
    TRY(MEM_NEW(c->token, tokens, err));
    TRY(MEM_NEW(c->logp, tokens, err));
    for (size_t i = 0; i < c->n; i++) {
        enum status status =
            p->text ? speaker_encode(&c->prompt[i], s, p->text[i], err)
                    : copy_ids(&c->prompt[i], &p->ids[i], s, err);
        if (status != OK && p->id)
            (void)err_context(err, "%s: record '%s'", p->file, p->id[i]);
        TRY(status);
    }
    return OK;
}

static enum status finish_reply(struct speaker_reply *r,
                                const struct speaker *s,
                                const struct generate_job *job, struct err *err)
{
    for (size_t t = 0; t < job->len; t++)
        TRY(ids_push(&r->ids, job->token[t], err));
    TRY(MEM_NEW(r->logp, job->len, err));
    if (job->len)
        memcpy(r->logp, job->logp, job->len * sizeof *r->logp);
    r->is_eos = job->is_eos;
    buf_puts(&r->text, ""); // an empty reply is a text too
    TRY(tokenizer_decode(s->tokenizer, r->ids.id, r->ids.n, true, &r->text,
                         err));
    TRY(buf_status(&r->text, err));
    const char *own = chat_reply(&s->chat, r->text.data);
    r->text.len -= (size_t)(own - r->text.data);
    memmove(r->text.data, own, r->text.len + 1);
    return OK;
}

/* Sample k of prompt i draws from it. */
static struct rng stream_of(const struct draw *d, size_t i, size_t k)
{
    struct rng stream;
    rng_init(&stream, d->seed, d->purpose, (uint32_t)i, (uint32_t)k);
    return stream;
}

size_t speaker_drawn(const struct draw *d)
{
    return d->samples * (d->best != NULL ? d->best->n : 1);
}

/* ---- a program in place of the model ------------------------------------- */

static enum status take_answer(struct speaker_reply *r,
                               struct outside_answer *a, struct err *err)
{
    for (size_t t = 0; t < a->n; t++)
        TRY(ids_push(&r->ids, a->token[t], err));
    r->logp = a->logp;
    a->logp = NULL;
    r->is_eos = !a->is_cut;
    buf_puts(&r->text, a->response);
    return buf_status(&r->text, err);
}

static enum status ask_program(struct speaker_reply *reply,
                               const struct speaker *s,
                               const struct speaker_prompts *p,
                               const struct draw *d, struct err *err)
{
    enum status status = OK;
    size_t drawn = speaker_drawn(d), n = p->n * drawn;
    struct outside_request *request = NULL;
    struct outside_answer *answer = NULL;
    TRY_DONE(MEM_NEW(request, n, err));
    TRY_DONE(MEM_NEW(answer, n, err));
    for (size_t j = 0; j < n; j++) {
        size_t i = j / drawn;
        request[j] = policy_command_request(
            &p->record[i], &d->sampling, stream_of(d, p->first + i, j % drawn));
    }
    TRY_DONE(outside_ask(answer, s->outside, request, n, err));
    for (size_t j = 0; j < n && status == OK; j++)
        status = take_answer(&reply[j], &answer[j], err);
    for (size_t j = 0; j < n; j++)
        outside_answer_free(&answer[j]);
done:
    mem_free(request);
    mem_free(answer);
    return status;
}

/* ---- both ---------------------------------------------------------------- */

static enum status run_model(struct speaker_reply *reply,
                             const struct speaker *s,
                             const struct speaker_prompts *p,
                             const struct draw *d, struct err *err)
{
    enum status status = OK;
    size_t max_new = d->sampling.max_new, drawn = speaker_drawn(d);
    struct chunk c;
    TRY_DONE(chunk_make(&c, s, p, drawn, max_new, err));
    for (size_t j = 0; j < c.jobs; j++) {
        struct generate_job *job = &c.job[j];
        size_t i = j / drawn;
        job->prompt = c.prompt[i].id;
        job->len_prompt = c.prompt[i].n;
        job->token = c.token + j * max_new;
        job->logp = c.logp + j * max_new;
        job->rng = stream_of(d, p->first + i, j % drawn);
    }
    TRY_DONE(
        generate_run(c.job, c.jobs, &s->model, &d->sampling, d->context, err));
    for (size_t j = 0; j < c.jobs; j++)
        TRY_DONE(finish_reply(&reply[j], s, &c.job[j], err));
done:
    chunk_free(&c);
    return status;
}

enum status speaker_reply(struct speaker_reply *reply, const struct speaker *s,
                          const struct speaker_prompts *p, const struct draw *d,
                          struct err *err)
{
    size_t n = p->n * speaker_drawn(d);
    for (size_t i = 0; i < n; i++) {
        reply[i] = (struct speaker_reply){0};
        buf_init(&reply[i].text, REPLY_MAX);
    }
    enum status status = s->outside != NULL ? ask_program(reply, s, p, d, err)
                                            : run_model(reply, s, p, d, err);
    for (size_t i = 0; status != OK && i < n; i++)
        speaker_free_reply(&reply[i]);
    return status;
}

/* The record's other members, "finish" and with a reward model "score_raw", as
 * JSON text. */
static enum status make_extra(struct buf *out, const struct record *r,
                              const struct speaker_reply *reply, size_t samples,
                              bool has_score, struct err *err)
{
    struct json *old = NULL;
    struct json_writer w;
    if (r->extra)
        TRY(json_parse(&old, r->extra, strlen(r->extra), r->id, err));
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    for (const void *it = json_first(old); it; it = json_next(old, it)) {
        if (strcmp(json_key(it), "finish") == 0 ||
            (has_score && strcmp(json_key(it), "score_raw") == 0))
            continue;
        json_put_key(&w, json_key(it));
        json_put_node(&w, json_value(it));
    }
    json_put_key(&w, "finish");
    json_open(&w, '[');
    for (size_t k = 0; k < samples; k++)
        json_put_text(&w, reply[k].is_eos ? "eos" : "length");
    json_close(&w, ']');
    if (has_score) {
        json_put_key(&w, "score_raw");
        json_open(&w, '[');
        for (size_t k = 0; k < samples; k++)
            json_put_number(&w, reply[k].score);
        json_close(&w, ']');
    }
    json_close(&w, '}');
    json_free(old);
    return buf_status(out, err);
}

static enum status put_candidates(struct buf *out, const struct record *r,
                                  const struct speaker_reply *reply,
                                  const struct draw *d, struct err *err)
{
    enum status status = OK;
    size_t samples = d->samples;
    char **response = NULL;
    struct buf extra;
    buf_init(&extra, EXTRA_MAX);
    TRY_DONE(MEM_NEW(response, samples, err));
    for (size_t k = 0; k < samples; k++)
        response[k] = reply[k].text.data;
    TRY_DONE(make_extra(&extra, r, reply, samples, d->best != NULL, err));
    struct record set = {
        .id = r->id,
        .prompt = r->prompt,
        .dialogue = r->dialogue,
        .responses = response,
        .n_responses = samples,
        .extra = extra.data,
    };
    dataset_write_record(out, &set);
    status = buf_status(out, err);
done:
    mem_free(response);
    buf_free(&extra);
    return status;
}

/* Prompts of a file: as records, and for a model as tokens, too. */
struct prompt_file {
    struct dataset data;
    struct corpus corpus; // not of a program
};

static void prompt_file_free(struct prompt_file *f)
{
    corpus_free(&f->corpus);
    dataset_free(&f->data);
}

static enum status prompt_file_load(struct prompt_file *f,
                                    const struct speaker *s, const char *path,
                                    const struct data_config *c,
                                    const struct context *context,
                                    struct err *err)
{
    struct data_config own = *c;
    const struct corpus_files files = {.path = path, .kind = DATASET_PROMPTS};
    *f = (struct prompt_file){.data = {.n = 0}};
    if (s->outside != NULL) {
        TRY(dataset_load(&f->data, path, DATASET_PROMPTS, &c->dataset, context,
                         err));
    } else {
        own.template = chat_name(s->chat.template);
        TRY(corpus_load(&f->corpus, &f->data, &files, &own, s->tokenizer,
                        s->model.config.eos, s->model.config.T_max - 1, context,
                        err));
    }
    if (f->data.n > 0)
        return OK;
    prompt_file_free(f);
    return err_set(err, ERR_FORMAT, "%s: no prompts", path);
}

/* Records first .. first+n-1 of a file. */
static enum status reply_chunk(struct buf *out, const struct speaker *s,
                               const struct prompt_file *f, size_t n,
                               size_t first, const struct draw *d,
                               struct err *err)
{
    enum status status = OK;
    struct ids ids[CHUNK];
    const char *id[CHUNK];
    const struct record *record = f->data.record + first;
    const struct speaker_prompts p = {.ids = ids,
                                      .record = record,
                                      .id = id,
                                      .file = f->data.path,
                                      .n = n,
                                      .first = first};
    size_t drawn = n * speaker_drawn(d);
    bool is_program = s->outside != NULL;
    struct speaker_reply *reply = NULL;
    TRY(MEM_NEW(reply, drawn, err));
    for (size_t i = 0; i < n && !is_program; i++) {
        const struct corpus *c = &f->corpus;
        const struct sequence *seq = &c->seq[c->first[first + i]];
        id[i] = record[i].id;
        ids[i] = (struct ids){.id = c->pool.id + (seq->prompt - c->pool.id),
                              .n = seq->len_prompt};
    }
    TRY_DONE(speaker_reply(reply, s, &p, d, err));
    if (d->best != NULL)
        status = best_of_choose(reply, d->best, record, is_program ? NULL : ids,
                                n, d->samples, d->context, err);
    for (size_t i = 0; i < n && status == OK; i++)
        status =
            put_candidates(out, &record[i], reply + i * d->samples, d, err);
    for (size_t i = 0; i < drawn; i++)
        speaker_free_reply(&reply[i]);
done:
    mem_free(reply);
    return status;
}

enum status speaker_reply_file(struct buf *out, const struct speaker *s,
                               const char *prompts_path,
                               const struct data_config *c,
                               const struct draw *d, struct err *err)
{
    struct prompt_file f;
    enum status status = OK;
    TRY(prompt_file_load(&f, s, prompts_path, c, d->context, err));
    size_t all = f.data.n;
    for (size_t first = 0; first < all; first += CHUNK) {
        size_t n = all - first < CHUNK ? all - first : CHUNK;
        TRY_DONE(reply_chunk(out, s, &f, n, first, d, err));
        context_progress(d->context, (double)(first + n), (double)all, "prompt",
                         NULL);
        if (context_stopped(d->context))
            TRY_DONE(err_set(err, ERR_STOPPED, "stopped; nothing is written"));
    }
done:
    prompt_file_free(&f);
    return status;
}
