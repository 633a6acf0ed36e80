#include "rig.h"

#include <math.h>
#include <string.h>

#include "model/heads.h"

void rig_pack_init(struct rig_pack *p)
{
    *p = (struct rig_pack){0};
    p->pack.token = p->token;
    p->pack.position = p->position;
    p->pack.start = p->start;
}

void rig_pack_add(struct rig_pack *p, const int32_t *token, size_t len)
{
    assert_true(p->pack.N + len <= RIG_TOKENS_MAX);
    assert_true(p->pack.n_seq < RIG_SEQUENCES_MAX);
    for (size_t t = 0; t < len; t++) {
        p->token[p->pack.N] = token[t];
        p->position[p->pack.N++] = (int32_t)t;
    }
    p->start[++p->pack.n_seq] = p->pack.N;
}

struct model_config rig_config(void)
{
    return (struct model_config){
        .V = 11,
        .C = 8,
        .L = 2,
        .H = 2,
        .G = 1,
        .D = 4,
        .F = 12,
        .T_max = 32,
        .rope_theta = 10000,
        .norm_eps = 1e-5,
        .head = HEAD_LM,
        .bos = -1,
        .eos = 1,
        .pad = 0,
    };
}

struct model_config rig_config_of(const char *model_type)
{
    struct model_config c = rig_config();

    c.arch = arch_find(model_type);
    assert_true(c.arch < arch_count());
    c.tied = arch_get(c.arch)->is_tied;
    if (arch_get(c.arch)->is_learned)
        c.rope_theta = 0;
    if (arch_get(c.arch)->files->dim[DIM_D] == NULL) {
        c.G = c.H;
        c.D = c.C / c.H;
    }
    return c;
}

void rig_model(struct model *out, const struct model_config *c, uint64_t seed)
{
    struct err err = {0};
    struct rng rng;

    assert_int_equal(model_create(out, c, &err), OK);
    rng_init(&rng, seed, RNG_TEST, 1, 1);
    for (size_t i = 0; i < params_tensors(c); i++) {
        struct param_view view = params_view(c, i);
        double sd = view.is_vector ? 0.2 : 1.5 / sqrt((double)view.cols);
        double mean = view.init_sd < 0 ? 1 : 0;

        for (size_t j = 0; j < view.rows * view.cols; j++)
            out->params[view.offset + j] =
                (float)(mean + sd * rng_normal(&rng));
    }
}

struct call {
    rig_fn fn;
    void *ctx;
};

static enum status run_item(void *ctx, size_t item, size_t worker,
                            struct err *err)
{
    struct call *call = ctx;
    struct arena arena = {0};
    enum status status;

    (void)item;
    (void)worker;
    status = call->fn(call->ctx, &arena, err);
    arena_free(&arena);
    return status;
}

enum status rig_run(rig_fn fn, void *ctx, struct err *err)
{
    struct call call = {fn, ctx};
    struct team *team = NULL;
    enum status status;

    assert_int_equal(team_create(&team, 1, err), OK);
    status = team_run(team, 1, run_item, &call, err);
    team_destroy(team);
    return status;
}

struct pass {
    float *hidden, *logits, *grad;
    const struct model *m;
    const struct pack *pack;
    const struct loss *loss;
    bool keep;
};

/* Gradient of the loss with respect to hidden [N,C] and the heads. */
static enum status loss_backward(float *dhidden, const struct pass *p,
                                 const struct activations *a,
                                 struct arena *arena, struct err *err)
{
    const struct loss *loss = p->loss;

    memset(dhidden, 0, p->pack->N * p->m->config.C * sizeof *dhidden);
    if (loss->dlogp != NULL) {
        struct lmhead head = model_lmhead(p->m, loss->temperature);
        float *scratch;

        head.banned = loss->banned;
        TRY(ARENA_NEW(arena, scratch, 2 * lmhead_scratch(head.V, head.C), err));
        TRY(lmhead_backward(dhidden, model_lmhead_grad(p->m, p->grad), &head,
                            a->hidden, loss->target, loss->dlogp,
                            loss->dentropy, p->pack->N, scratch, err));
    }
    if (loss->n_row > 0)
        head_score_backward(dhidden, p->grad, p->m, a->hidden, loss->row,
                            loss->dscore, loss->n_row);
    return OK;
}

static enum status run_pass(void *ctx, struct arena *arena, struct err *err)
{
    const struct pass *p = ctx;
    size_t n = p->pack->N * p->m->config.C;
    struct activations a;
    float *dhidden;

    TRY(activations_place(&a, p->m, p->pack->N, p->keep, arena, err));
    TRY(transformer_forward(&a, p->m, p->pack, arena, err));
    if (p->hidden != NULL)
        memcpy(p->hidden, a.hidden, n * sizeof *a.hidden);
    if (p->logits != NULL) {
        struct lmhead head = model_lmhead(p->m, 1);
        float *scratch;

        TRY(ARENA_NEW(arena, scratch, weight_scratch(head.C), err));
        TRY(lmhead_logits(p->logits, &head, a.hidden, p->pack->N, scratch,
                          err));
    }
    if (p->grad == NULL)
        return OK;
    TRY(ARENA_NEW(arena, dhidden, n, err));
    TRY(loss_backward(dhidden, p, &a, arena, err));
    return transformer_backward(p->grad, &a, p->m, p->pack, dhidden, arena,
                                err);
}

static void run_checked(struct pass *p)
{
    struct err err = {0};

    if (rig_run(run_pass, p, &err) != OK)
        fail_msg("%s", err.text);
}

void rig_hidden(float *hidden, const struct model *m, const struct pack *pack,
                bool keep)
{
    run_checked(
        &(struct pass){.hidden = hidden, .m = m, .pack = pack, .keep = keep});
}

void rig_logits(float *logits, const struct model *m, const struct pack *pack)
{
    run_checked(&(struct pass){.logits = logits, .m = m, .pack = pack});
}

void rig_gradient(float *grad, const struct model *m, const struct pack *pack,
                  const struct loss *loss)
{
    memset(grad, 0, model_trainable_count(m) * sizeof *grad);
    run_checked(&(struct pass){
        .grad = grad, .m = m, .pack = pack, .loss = loss, .keep = true});
}

double rig_distance(const float *a, const float *b, size_t n)
{
    double worst = 0;

    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);

        if (isnan(d))
            return d;
        if (d > worst)
            worst = d;
    }
    return worst;
}

double rig_relative(const float *a, const float *b, size_t n)
{
    double difference = 0;
    double size = 0;

    for (size_t i = 0; i < n; i++) {
        double d = (double)a[i] - (double)b[i];

        difference += d * d;
        size += (double)b[i] * (double)b[i];
    }
    if (difference == 0)
        return 0;
    return sqrt(difference / size);
}

enum status rig_draw(int32_t *token, double *logp, const float *z,
                     const struct lmhead *head, const struct sampling *s,
                     struct rng *rng)
{
    size_t V = head->V;
    float *room = mem_calloc(nexttoken_floats(V, head->C, 1), sizeof *room);
    struct nexttoken next;
    enum status status;

    assert_non_null(room);
    nexttoken_place(&next, head, 1, room);
    for (size_t v = 0; v < V; v++)
        next.z[v * next.lanes + 5] = z[v];
    nexttoken_weigh(&next);
    status = sampler_draw(token, logp, &next, 5, s, rng);
    mem_free(room);
    return status;
}
