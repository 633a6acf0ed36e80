#include "eval/program.h"

#include <string.h>

#include "base/mem.h"
#include "rlhf/policy_command.h"

struct saying {
    const struct setup *s;
    size_t samples, n;
    struct outside_answer *answer; // [n]
    struct ids pool;               // tokens of all replies
    size_t *begin;                 // [n + 1] into the pool
    size_t longest;
};

static void saying_free(struct saying *x)
{
    for (size_t i = 0; x->answer != NULL && i < x->n; i++)
        outside_answer_free(&x->answer[i]);
    mem_free(x->answer);
    mem_free(x->begin);
    ids_free(&x->pool);
}

static enum status ask(struct saying *x, const struct sampling *how,
                       enum draw_part part, struct err *err)
{
    struct outside_request *request;
    TRY(MEM_NEW(request, x->n, err));
    for (size_t i = 0; i < x->n; i++) {
        struct rng stream;
        rng_init(&stream, x->s->config->seed, RNG_HELDOUT, (uint32_t)part,
                 (uint32_t)i);
        request[i] = policy_command_request(
            &x->s->prompts.record[i / x->samples], how, stream);
    }
    enum status status =
        outside_ask(x->answer, x->s->program, request, x->n, err);
    mem_free(request);
    return status;
}

/* A reply's tokens, behind those of the others. */
static enum status encode(struct saying *x, size_t i, struct err *err)
{
    const struct setup *s = x->s;
    const struct model_config *c = &s->reference.config;
    const struct outside_answer *a = &x->answer[i];
    TRY(chat_encode_response(s->tokenizer, &s->chat, a->response,
                             a->is_cut ? -1 : c->eos, &x->pool, err));
    size_t len = x->pool.n - x->begin[i];
    size_t len_prompt = s->prompt[i / x->samples].len_prompt;
    if (len == 0)
        return err_set(err, ERR_FORMAT, "a reply without a token");
    if (len_prompt + len > c->T_max)
        return err_set(err, ERR_LIMIT,
                       "a reply of %zu tokens behind a prompt of %zu is more "
                       "than the reference's %zu positions; --max-new tells "
                       "the program another bound",
                       len, len_prompt, c->T_max);
    if (len > x->longest)
        x->longest = len;
    x->begin[i + 1] = x->pool.n;
    return OK;
}

static enum status encode_all(struct saying *x, struct err *err)
{
    TRY(MEM_NEW(x->begin, x->n + 1, err));
    for (size_t i = 0; i < x->n; i++) {
        enum status status = encode(x, i, err);
        if (status != OK)
            return err_context(err, "the policy command, prompt '%s'",
                               x->s->prompts.record[i / x->samples].id);
    }
    return OK;
}

/* As sampling would have left it. */
static enum status fill(struct rollout *r, const struct saying *x,
                        struct err *err)
{
    TRY(rollout_create(r, x->n, x->longest, err));
    for (size_t i = 0; i < x->n; i++) {
        const struct sequence *prompt = &x->s->prompt[i / x->samples];
        size_t len = x->begin[i + 1] - x->begin[i];
        int32_t *token = r->token + i * r->max_new;
        memcpy(token, x->pool.id + x->begin[i], len * sizeof *token);
        r->prompt[i] = i / x->samples;
        r->sample[i] = i % x->samples;
        r->is_eos[i] = !x->answer[i].is_cut;
        r->seq[i] = (struct sequence){.prompt = prompt->prompt,
                                      .len_prompt = prompt->len_prompt,
                                      .response = token,
                                      .len_response = len};
    }
    batch_offsets(r->offset, r->seq, r->n);
    return OK;
}

enum status program_say(struct rollout *out, char ***text,
                        const struct setup *s, size_t samples,
                        const struct sampling *how, enum draw_part part,
                        struct err *err)
{
    enum status status = OK;
    struct saying x = {.s = s, .samples = samples};
    char **said = NULL;
    TRY(mem_multiply(&x.n, (size_t)s->config->n_prompts, samples, err));
    TRY_DONE(MEM_NEW(x.answer, x.n, err));
    TRY_DONE(ask(&x, how, part, err));
    TRY_DONE(encode_all(&x, err));
    TRY_DONE(MEM_NEW(said, x.n, err));
    TRY_DONE(fill(out, &x, err));
    for (size_t i = 0; i < x.n; i++) {
        said[i] = x.answer[i].response;
        x.answer[i].response = NULL;
    }
    *text = said;
done:
    if (status != OK)
        mem_free(said);
    saying_free(&x);
    return status;
}
