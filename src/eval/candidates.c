#include "eval/candidates.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/run.h"
#include "model/checkpoint.h"
#include "rlhf/reward_reader.h"

#define CHUNK 256 // prompts drawn at a time, a bound on memory
#define REPLY_MAX ((size_t)1 << 20)
#define FILE_MAX ((size_t)1 << 30) // LOAD_TEXT_MAX of store/load.h

/* Second word of the reference's streams begins here. */
#define REFERENCE_STREAM 65536u

struct reply {
    char *text;
    size_t tokens;
    bool is_eos;
    double score; // NaN: nobody was asked
};

/* One of the two models and what it said. */
struct voice {
    const char *source;
    uint32_t stream;
    size_t samples;
    char path[FILE_PATH_MAX]; // the model's folder
    char run[FILE_PATH_MAX];  // the run it lies in, or its folder
    int64_t step;             // or -1
    struct model model;
    struct tokenizer *tokenizer;
    struct chat chat;
    struct reward_reader reward;
    struct dataset prompts;
    struct corpus corpus;
    struct reply *reply; // [prompts.n * samples]
};

static void close_models(struct voice *v)
{
    model_free(&v->model);
    reward_reader_close(&v->reward);
    tokenizer_free(v->tokenizer);
    v->tokenizer = NULL;
}

static void voice_free(struct voice *v)
{
    close_models(v);
    for (size_t i = 0; v->reply != NULL && i < v->prompts.n * v->samples; i++)
        mem_free(v->reply[i].text);
    mem_free(v->reply);
    corpus_free(&v->corpus);
    dataset_free(&v->prompts);
}

/* ---- opening ------------------------------------------------------------ */

/* The run and step that the model's path tells; of a merged model those of
 * the run's last checkpoint, which it is. */
static enum status find_origin(struct voice *v, struct err *err)
{
    int64_t *steps = NULL;
    size_t n = 0;
    v->step = -1;
    if (!run_of_model(v->run, &v->step, v->path))
        return file_join(v->run, "", v->path, err);
    for (size_t len = strlen(v->run); len > 1 && v->run[len - 1] == '/'; len--)
        v->run[len - 1] = '\0';
    if (v->step >= 0)
        return OK;
    TRY(run_checkpoints(&steps, &n, v->run, err));
    v->step = n > 0 ? steps[n - 1] : -1;
    mem_free(steps);
    return OK;
}

static enum status open_voice(struct voice *v,
                              const struct candidates_config *c,
                              const char *model, const char *stage,
                              const struct context *context, struct err *err)
{
    size_t max_new = c->how.max_new;
    TRY(run_find_model(v->path, model, stage, err));
    TRY(find_origin(v, err));
    TRY(checkpoint_read_as(&v->model, v->path, HEAD_LM,
                           (enum model_precision)c->precision, err));
    TRY(checkpoint_tokenizer(&v->tokenizer, v->path, err));
    TRY(checkpoint_check_tokenizer(&v->model, v->tokenizer, v->path, err));
    TRY(chat_open(&v->chat, v->tokenizer, c->data.template, c->data.date, err));
    v->model.config.eos = chat_end(&v->chat, v->tokenizer, v->model.config.eos);
    if (max_new < 1 || max_new >= v->model.config.T_max)
        return err_set(err, ERR_ARG,
                       "max_new = %zu: wanted 1 to %zu, which leaves a "
                       "position for the prompt",
                       max_new, v->model.config.T_max - 1);
    const struct corpus_files files = {.path = c->prompts,
                                       .kind = DATASET_PROMPTS};
    /* What was read is told once. */
    TRY(corpus_load(&v->corpus, &v->prompts, &files, &c->data, v->tokenizer,
                    v->model.config.eos, v->model.config.T_max - max_new,
                    v->stream == 0 ? context : NULL, err));
    if (v->prompts.n == 0)
        return err_set(err, ERR_FORMAT, "%s: no prompts", c->prompts);
    if (c->reward_model == NULL)
        return OK;
    const struct reward_policy policy = {v->tokenizer, v->chat,
                                         v->model.config.eos};
    return reward_reader_open(&v->reward, c->reward_model, &policy,
                              c->precision, err);
}

/* ---- drawing ------------------------------------------------------------ */

/* What is drawn at a time. */
struct chunk {
    struct generate_job *job; // [n]
    int32_t *token;           // [n * max_new]
    size_t *prompt;           // [n]
    struct sequence *seq;     // [n]
    bool *is_eos;             // [n]
    double *score;            // [n]
    size_t n;
};

static void chunk_free(struct chunk *k)
{
    mem_free(k->job);
    mem_free(k->token);
    mem_free(k->prompt);
    mem_free(k->seq);
    mem_free(k->is_eos);
    mem_free(k->score);
}

/* Jobs for all samples of prompts first .. first+n-1. */
static enum status chunk_make(struct chunk *k, const struct voice *v,
                              const struct candidates_config *c, size_t first,
                              size_t n, struct err *err)
{
    size_t tokens, max_new = c->how.max_new;
    k->n = n * v->samples;
    TRY(mem_multiply(&tokens, k->n, max_new, err));
    TRY(MEM_NEW(k->job, k->n, err));
    TRY(MEM_NEW(k->token, tokens, err));
    TRY(MEM_NEW(k->prompt, k->n, err));
    TRY(MEM_NEW(k->seq, k->n, err));
    TRY(MEM_NEW(k->is_eos, k->n, err));
    TRY(MEM_NEW(k->score, k->n, err));
    for (size_t j = 0; j < k->n; j++) {
        size_t p = first + j / v->samples;
        const struct sequence *seq = &v->corpus.seq[v->corpus.first[p]];
        k->prompt[j] = p;
        k->job[j] = (struct generate_job){.prompt = seq->prompt,
                                          .len_prompt = seq->len_prompt,
                                          .token = k->token + j * max_new};
        rng_init(&k->job[j].rng, c->seed, RNG_CANDIDATE, (uint32_t)p,
                 v->stream + (uint32_t)(j % v->samples));
    }
    return OK;
}

static enum status score_chunk(struct chunk *k, const struct voice *v,
                               const struct context *context, struct err *err)
{
    const struct reward_replies replies = {.records = v->prompts.record,
                                           .prompt = k->prompt,
                                           .seq = k->seq,
                                           .is_eos = k->is_eos,
                                           .n = k->n};
    return reward_reader_score(k->score, &v->reward, &replies, context, err);
}

static enum status draw_chunk(struct voice *v,
                              const struct candidates_config *c, size_t first,
                              size_t n, const struct context *context,
                              struct err *err)
{
    struct chunk k = {.n = 0};
    enum status status = chunk_make(&k, v, c, first, n, err);
    if (status == OK)
        status = generate_run(k.job, k.n, &v->model, &c->how, context, err);
    for (size_t j = 0; status == OK && j < k.n; j++) {
        const struct generate_job *job = &k.job[j];
        k.is_eos[j] = job->is_eos;
        k.score[j] = (double)NAN;
        k.seq[j] = (struct sequence){.prompt = job->prompt,
                                     .len_prompt = job->len_prompt,
                                     .response = job->token,
                                     .len_response = job->len};
    }
    if (status == OK && c->reward_model != NULL)
        status = score_chunk(&k, v, context, err);
    for (size_t j = 0; status == OK && j < k.n; j++) {
        struct reply *r = &v->reply[first * v->samples + j];
        *r = (struct reply){
            .tokens = k.job[j].len, .is_eos = k.is_eos[j], .score = k.score[j]};
        status = chat_decode(&r->text, &v->chat, v->tokenizer, k.job[j].token,
                             k.job[j].len, REPLY_MAX, err);
    }
    chunk_free(&k);
    return status;
}

/* Everything that a model is asked; the model is closed again. */
static enum status draw_voice(struct voice *v,
                              const struct candidates_config *c,
                              const char *model, const char *stage,
                              const struct context *context, struct err *err)
{
    size_t n;
    TRY(open_voice(v, c, model, stage, context, err));
    TRY(mem_multiply(&n, v->prompts.n, v->samples, err));
    TRY(MEM_NEW(v->reply, n, err));
    for (size_t first = 0; first < v->prompts.n; first += CHUNK) {
        size_t left = v->prompts.n - first;
        TRY(draw_chunk(v, c, first, left < CHUNK ? left : CHUNK, context, err));
        context_progress(context,
                         (double)(left < CHUNK ? v->prompts.n : first + CHUNK),
                         (double)v->prompts.n, "prompt", v->source);
        if (context_stopped(context))
            return err_set(err, ERR_STOPPED, "stopped; nothing is written");
    }
    close_models(v);
    return OK;
}

/* ---- writing ------------------------------------------------------------ */

static void put_reply(struct json_writer *w, const struct voice *v, size_t p,
                      size_t k, const struct candidates_config *c)
{
    const struct reply *r = &v->reply[p * v->samples + k];
    json_open(w, '{');
    json_field_text(w, "text", r->text);
    json_field_text(w, "source", v->source);
    json_field_text(w, "run", v->run);
    if (v->step >= 0)
        json_field_int(w, "step", v->step);
    json_field_int(w, "sample", (int64_t)k);
    json_field_int(w, "tokens", (int64_t)r->tokens);
    json_field_text(w, "finish", r->is_eos ? "eos" : "length");
    if (c->reward_model != NULL) {
        json_field_number(w, "score", r->score);
        json_field_text(w, "reward_model", c->reward_model);
    }
    json_field_number(w, "temperature", c->how.temperature);
    json_field_number(w, "top_p", c->how.top_p);
    json_field_int(w, "seed", (int64_t)c->seed);
    json_close(w, '}');
}

/* The members of a prompt's record that mean nothing to a load. */
static enum status put_others(struct json_writer *w, const struct record *r,
                              struct err *err)
{
    static const char *const own[] = {
        "id",     "prompt", "messages",  "responses", "samples",
        "policy", "which",  "reference", "placebo",   "ranking",
        "better", "finish", "sample",    "response",  "prompt_id"};
    struct json *extra;
    if (r->extra == NULL)
        return OK;
    TRY(json_parse(&extra, r->extra, strlen(r->extra), r->id, err));
    for (const void *it = json_first(extra); it != NULL;
         it = json_next(extra, it)) {
        bool is_own = false;
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            is_own = is_own || strcmp(json_key(it), own[i]) == 0;
        if (is_own)
            continue;
        json_put_key(w, json_key(it));
        json_put_node(w, json_value(it));
    }
    json_free(extra);
    return OK;
}

static void put_replies(struct json_writer *w, const struct voice *v, size_t p,
                        const struct candidates_config *c)
{
    for (size_t k = 0; k < v->samples; k++)
        put_reply(w, v, p, k, c);
}

static enum status put_record(struct buf *out, const struct voice *policy,
                              const struct voice *reference, size_t p,
                              const struct candidates_config *c,
                              struct err *err)
{
    struct json_writer w;
    const struct record *r = &policy->prompts.record[p];
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_text(&w, "id", r->id);
    json_put_key(&w, "prompt");
    if (r->dialogue.n > 0)
        dialogue_write(&w, &r->dialogue);
    else
        json_put_text(&w, r->prompt);
    TRY(put_others(&w, r, err));
    json_put_key(&w, c->is_pair ? "policy" : "samples");
    json_open(&w, '[');
    put_replies(&w, policy, p, c);
    if (c->is_pair) {
        json_close(&w, ']');
        json_put_key(&w, "reference");
        json_open(&w, '[');
    }
    put_replies(&w, reference, p, c);
    json_close(&w, ']');
    json_close(&w, '}');
    buf_putc(out, '\n');
    return buf_status(out, err);
}

/* Is there nothing to rank among a prompt's replies? */
static bool is_one_text(const struct voice *policy,
                        const struct voice *reference, size_t p)
{
    const struct voice *of[] = {policy, reference};
    const char *first = policy->reply[p * policy->samples].text;
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < of[i]->samples; k++)
            if (strcmp(of[i]->reply[p * of[i]->samples + k].text, first) != 0)
                return false;
    return true;
}

static enum status keep_file(const struct buf *text, const char *path,
                             struct err *err)
{
    struct buf there;
    if (!file_exists(path))
        return file_write(path, buf_text(text), text->len, err);
    buf_init(&there, FILE_MAX);
    enum status status = file_read(&there, path, err);
    if (status == OK &&
        (there.len != text->len ||
         memcmp(buf_text(&there), buf_text(text), text->len) != 0))
        status = err_set(err, ERR_MISMATCH,
                         "%s: other samples are there, which votes may rest "
                         "on; load that file, or move it away",
                         path);
    buf_free(&there);
    return status;
}

/* ---- all of it ---------------------------------------------------------- */

void candidates_needed(size_t *n_policy, size_t *n_reference, size_t pairs,
                       size_t prompts, bool has_placebos)
{
    size_t items = pairs == 0 || prompts == 0 ? 1 : (pairs - 1) / prompts + 1;
    *n_policy = items;
    *n_reference = has_placebos ? 2 * items : items;
}

enum status candidates_count(size_t *n, const struct candidates_config *c,
                             struct err *err)
{
    struct dataset data;
    TRY(dataset_load(&data, c->prompts, DATASET_PROMPTS, &c->data.dataset, NULL,
                     err));
    *n = data.n;
    dataset_free(&data);
    return *n > 0 ? OK : err_set(err, ERR_FORMAT, "%s: no prompts", c->prompts);
}

static enum status check(const struct candidates_config *c, struct err *err)
{
    size_t all = c->n_policy + c->n_reference;
    bool has_enough = c->is_pair ? c->n_policy > 0 && c->n_reference > 0
                                 : c->n_policy > 0 && all > 1;
    if (!has_enough || c->n_policy > CANDIDATES_MAX ||
        c->n_reference > CANDIDATES_MAX ||
        (!c->is_pair && all > CANDIDATES_MAX))
        return err_set(err, ERR_ARG,
                       "%zu samples of the policy and %zu of the reference for "
                       "a prompt: wanted %s, %d at most",
                       c->n_policy, c->n_reference,
                       c->is_pair ? "one of each" : "two together",
                       CANDIDATES_MAX);
    return OK;
}

static enum status write_all(struct candidates_counts *out,
                             const struct voice *policy,
                             const struct voice *reference,
                             const struct candidates_config *c,
                             const char *path, struct err *err)
{
    struct candidates_counts n = {0};
    struct buf text;
    enum status status = OK;
    buf_init(&text, FILE_MAX);
    for (size_t p = 0; status == OK && p < policy->prompts.n; p++) {
        if (!c->is_pair && is_one_text(policy, reference, p)) {
            n.same++;
            continue;
        }
        n.prompts++;
        n.replies += policy->samples + reference->samples;
        status = put_record(&text, policy, reference, p, c, err);
    }
    if (status == OK && n.prompts == 0)
        status = err_set(err, ERR_FORMAT,
                         "%s: to every prompt all replies are one text, and "
                         "there is nothing to rank",
                         c->prompts);
    if (status == OK)
        status = keep_file(&text, path, err);
    buf_free(&text);
    if (status == OK)
        *out = n;
    return status;
}

enum status candidates_write(struct candidates_counts *out,
                             const struct candidates_config *c,
                             const char *path, const struct context *context,
                             struct err *err)
{
    struct voice policy = {.source = "policy", .samples = c->n_policy};
    struct voice reference = {.source = "reference",
                              .stream = REFERENCE_STREAM,
                              .samples = c->n_reference};
    TRY(check(c, err));
    enum status status = draw_voice(&policy, c, c->policy, NULL, context, err);
    if (status == OK && c->n_reference > 0)
        status = draw_voice(&reference, c, c->reference, "sft", context, err);
    if (status == OK && c->n_reference > 0 &&
        reference.prompts.n != policy.prompts.n)
        status = err_set(err, ERR_MISMATCH,
                         "%s: %zu prompts fit the policy, %zu the reference",
                         c->prompts, policy.prompts.n, reference.prompts.n);
    if (status == OK)
        status = write_all(out, &policy, &reference, c, path, err);
    voice_free(&policy);
    voice_free(&reference);
    return status;
}
