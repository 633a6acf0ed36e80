#include <plumb.h>

#include <string.h>

#include "api/call.h"
#include "api/held.h"
#include "base/mem.h"

/* Between two reports of progress: prompts, and about so many replies. */
#define CHUNK ((size_t)64)
#define CHUNK_REPLIES ((size_t)1024)
#define PROMPTS_MAX UINT32_MAX
#define SAMPLES_MAX 1024
#define TOKENS_MAX 65536
#define SEED_MAX ((uint64_t)1 << 53)

struct plumb_replies {
    struct speaker_reply *reply; // [n]
    size_t n;
};

static void free_replies(struct plumb_replies *r)
{
    for (size_t i = 0; r->reply != NULL && i < r->n; i++)
        speaker_free_reply(&r->reply[i]);
    mem_free(r->reply);
    mem_free(r);
}

static enum status check_range(const char *name, double x, double low,
                               double high, struct err *err)
{
    if (x >= low && x <= high)
        return OK;
    return err_set(err, ERR_ARG, "sampling.%s = %.15g: want %.15g to %.15g",
                   name, x, low, high);
}

static enum status read_sampling(struct plumb_sampling *s,
                                 const struct plumb_sampling *given,
                                 struct err *err)
{
    *s = (struct plumb_sampling)PLUMB_SAMPLING_DEFAULT;
    TRY(call_options(s, sizeof *s, given, "sampling", err));
    if (s->seed >= SEED_MAX)
        return err_set(err, ERR_ARG, "sampling.seed is not below 2^53");
    TRY(check_range("samples", (double)s->samples, 1, SAMPLES_MAX, err));
    TRY(check_range("max_new", (double)s->max_new, 1, TOKENS_MAX, err));
    TRY(check_range("temperature", s->temperature, 0, 100, err));
    TRY(check_range("top_p", s->top_p, 0.001, 1, err));
    return check_range("top_k", (double)s->top_k, 0, 1e6, err);
}

/* All prompts as ids, so that a bad one is told before anything is drawn. */
static enum status encode(struct ids *prompt, const struct speaker *s,
                          const char *const *text, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        TRY(call_check_text(text[i], "prompt", i, err));
        enum status status = speaker_encode(&prompt[i], s, text[i], err);
        if (status != OK)
            return err_context(err, "prompt %zu", i);
    }
    return OK;
}

static enum status draw_all(struct speaker_reply *reply,
                            const struct speaker *s, const struct ids *prompt,
                            size_t n, const struct draw *d, struct err *err)
{
    size_t chunk = CHUNK_REPLIES / d->samples;
    chunk = chunk > CHUNK ? CHUNK : chunk;
    for (size_t first = 0; first < n; first += chunk) {
        size_t some = n - first < chunk ? n - first : chunk;
        const struct speaker_prompts p = {
            .ids = prompt + first, .n = some, .first = first};
        TRY(speaker_reply(reply + first * d->samples, s, &p, d, err));
        context_progress(d->context, (double)(first + some), (double)n,
                         "prompt", NULL);
        if (context_stopped(d->context))
            return err_set(err, ERR_STOPPED,
                           "stopped by the progress function");
    }
    return OK;
}

/* What a call to generate is given. */
struct wanted {
    const struct context *context;
    const struct plumb_model *model;
    const char *const *prompts;
    size_t n;
    const struct plumb_sampling *sampling;
    struct plumb_replies **out;
};

static enum status check(struct plumb_sampling *how, const struct wanted *w,
                         struct err *err)
{
    TRY(call_need(w->model, "model", err));
    TRY(call_need(w->prompts, "prompts", err));
    TRY(call_need(w->out, "out", err));
    if (w->n == 0 || w->n > PROMPTS_MAX)
        return err_set(err, ERR_ARG, "%zu prompts: want 1 to %lu", w->n,
                       (unsigned long)PROMPTS_MAX);
    return read_sampling(how, w->sampling, err);
}

/* How, with a reply no longer than the model has positions. */
static struct draw make_draw(const struct plumb_sampling *how,
                             const struct wanted *w)
{
    size_t room = w->model->speaker.model.config.T_max;
    return (struct draw){
        .sampling = {.temperature = how->temperature,
                     .top_p = how->top_p,
                     .top_k = how->top_k,
                     .max_new = how->max_new < room ? how->max_new : room},
        .samples = how->samples,
        .seed = how->seed,
        .purpose = RNG_GENERATE,
        .context = w->context,
    };
}

static enum status generate(void *arg, struct err *err)
{
    enum status status = OK;
    const struct wanted *w = arg;
    struct plumb_sampling how;
    struct ids *prompt = NULL;
    struct plumb_replies *r = NULL;
    size_t all;
    TRY(check(&how, w, err));
    const struct speaker *s = &w->model->speaker;
    const struct draw d = make_draw(&how, w);
    TRY(mem_multiply(&all, w->n, how.samples, err));
    TRY(MEM_NEW(prompt, w->n, err));
    TRY_DONE(encode(prompt, s, w->prompts, w->n, err));
    TRY_DONE(MEM_NEW(r, 1, err));
    r->n = all;
    TRY_DONE(MEM_NEW(r->reply, all, err));
    TRY_DONE(draw_all(r->reply, s, prompt, w->n, &d, err));
    *w->out = r;
done:
    for (size_t i = 0; i < w->n; i++)
        ids_free(&prompt[i]);
    mem_free(prompt);
    if (status != OK && r != NULL)
        free_replies(r);
    return status;
}

int plumb_generate(struct plumb_context *context,
                   const struct plumb_model *model, const char *const *prompts,
                   size_t n, const struct plumb_sampling *sampling,
                   struct plumb_replies **out, struct plumb_error *error)
{
    struct wanted w = {.model = model,
                       .prompts = prompts,
                       .n = n,
                       .sampling = sampling,
                       .out = out};
    if (context != NULL)
        w.context = &context->context;
    return call_run_with(context, generate, &w, error);
}

void plumb_replies_free(struct plumb_replies *replies)
{
    if (replies != NULL)
        free_replies(replies);
}

size_t plumb_replies_count(const struct plumb_replies *replies)
{
    return replies != NULL ? replies->n : 0;
}

/* Reply i, or NULL. */
static const struct speaker_reply *find(const struct plumb_replies *r, size_t i)
{
    return r != NULL && i < r->n ? &r->reply[i] : NULL;
}

const char *plumb_replies_text(const struct plumb_replies *replies, size_t i)
{
    const struct speaker_reply *r = find(replies, i);
    return r != NULL ? buf_text(&r->text) : NULL;
}

size_t plumb_replies_tokens(const struct plumb_replies *replies, size_t i,
                            const int32_t **token, const float **logp)
{
    const struct speaker_reply *r = find(replies, i);
    if (r == NULL)
        return 0;
    if (token != NULL)
        *token = r->ids.id;
    if (logp != NULL)
        *logp = r->logp;
    return r->ids.n;
}

int plumb_replies_ended(const struct plumb_replies *replies, size_t i)
{
    const struct speaker_reply *r = find(replies, i);
    return r != NULL && r->is_eos;
}
