#include "cli/inspect.h"

#include <math.h>

#include "base/mem.h"
#include "cli/ids_text.h"
#include "cli/session.h"
#include "rlhf/batch.h"
#include "rlhf/speaker.h"

/* One forward pass, inside a worker. */
struct pass {
    const struct model *model;
    const struct ids *prompt;
    float *logits; // [V]
};

static enum status run_pass(void *ctx, size_t item, size_t worker,
                            struct err *err)
{
    struct pass *p = ctx;
    const struct sequence seq = {.prompt = p->prompt->id,
                                 .len_prompt = p->prompt->n};
    struct lmhead head = model_lmhead(p->model, 1);
    struct arena arena = {0};
    struct batch batch;
    struct activations a;
    enum status status = OK;
    float *scratch;
    (void)item;
    (void)worker;
    TRY_DONE(ARENA_NEW(&arena, scratch, weight_scratch(head.C), err));
    TRY_DONE(batch_pack(&batch, &seq, 1, &arena, err));
    TRY_DONE(activations_place(&a, p->model, batch.pack.N, false, &arena, err));
    TRY_DONE(transformer_forward(&a, p->model, &batch.pack, &arena, err));
    const float *last =
        a.hidden + batch_last_row(&batch, 0) * p->model->config.C;
    status = lmhead_logits(p->logits, &head, last, 1, scratch, err);
done:
    arena_free(&arena);
    return status;
}

/* The largest logits first, the lower id first among equal ones; what has
 * been put becomes NaN. */
static void put_top(struct json_writer *w, float *logits, size_t V, size_t top,
                    const struct tokenizer *t)
{
    json_put_key(w, "top");
    json_open(w, '[');
    for (size_t k = 0; k < top && k < V; k++) {
        size_t best = V;
        for (size_t v = 0; v < V; v++) {
            if (!isnan(logits[v]) && (best == V || logits[v] > logits[best]))
                best = v;
        }
        if (best == V)
            break;
        json_open(w, '{');
        json_field_int(w, "id", (int64_t)best);
        json_put_key(w, "logit");
        json_put_float(w, logits[best]);
        json_field_text(w, "token", tokenizer_token(t, (int32_t)best));
        json_close(w, '}');
        logits[best] = NAN;
    }
    json_close(w, ']');
}

static enum status put_logits(struct json_writer *w, const struct speaker *s,
                              const struct ids *prompt, size_t top,
                              struct team *team, struct err *err)
{
    const struct model_config *c = &s->model.config;
    struct pass p = {.model = &s->model, .prompt = prompt};
    TRY(MEM_NEW(p.logits, c->V, err));
    enum status status = team_run(team, 1, run_pass, &p, err);
    if (status == OK) {
        json_field_text(w, "kind", "logits");
        json_field_text(w, "path", s->path);
        json_field_ints(w, "prompt_ids", prompt->id, prompt->n);
        put_top(w, p.logits, c->V, top, s->tokenizer);
    }
    mem_free(p.logits);
    return status;
}

enum status inspect_logits(struct json_writer *w, const struct options *o,
                           struct err *err)
{
    const struct inspect_values *v = &o->v.inspect;
    struct session session;
    struct speaker s;
    struct ids prompt = {0};
    enum status status = OK;
    if (!v->prompt == !v->prompt_ids)
        return err_set(err, ERR_ARG,
                       "--logits: one of --prompt TEXT and --prompt-ids "
                       "1,2,3 is wanted");
    TRY(speaker_open(&s, o->operand[0], v->chat, options_precision(o), err));
    if (v->prompt)
        TRY_DONE(speaker_encode(&prompt, &s, v->prompt, err));
    else
        TRY_DONE(
            ids_text_option(&prompt, v->prompt_ids, "inspect.prompt_ids", err));
    TRY_DONE(session_open(&session, o, "inspect", err));
    status = put_logits(w, &s, &prompt, (size_t)v->top, session.team, err);
    session_close(&session);
done:
    ids_free(&prompt);
    speaker_close(&s);
    return status;
}
