/*
 * peer_checkpoint.c - writes policies and reward models of every architecture
 * as checkpoints, with what we compute from them, for check_checkpoint.py to
 * repeat with transformers.
 *
 *     peer_checkpoint DIR
 *
 *     DIR/llama_policy/  DIR/llama_reward/  ...   checkpoints
 *     DIR/llama_policy.safetensors   tokens [S,T], -1 past the end of each
 *                                    sequence, and logits [N,V] of the others
 *     DIR/llama_reward.safetensors   tokens [S,T] and scores [S]
 *
 * The sequences are of unequal lengths and end with EOS; the models' padding
 * token is EOS, too, as SmolLM2's is.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "io/safetensors.h"
#include "model/checkpoint.h"
#include "model/heads.h"

#define S 6
#define T 57
#define EOS 1

/* Row of the table or, past its end, what else a checkpoint must tell. */
static struct model_config shape(size_t i, enum model_head head)
{
    struct model_config c = {
        .arch = i < arch_count() ? i : 0,
        .V = 413,
        .C = 64,
        .L = 2,
        .H = 4,
        .G = 2,
        .D = 16,
        .F = 160,
        .T_max = 96,
        .rope_theta = 10000,
        .norm_eps = 1e-5,
        .head = head,
        .bos = -1,
        .eos = EOS,
        .pad = EOS,
    };

    if (arch_get(c.arch)->is_learned)
        c.G = c.H;
    if (i == arch_count() || arch_get(c.arch)->is_tied)
        c.tied = true;
    if (i == arch_count() + 1) {
        c.attention_bias = true;
        c.stretch = (struct rope_stretch){ROPE_LLAMA3, 8, 1, 4, 32};
        c.n_stop = 1;
        c.stop[0] = 5;
    }
    if (i == arch_count() + 2)
        c.stretch = (struct rope_stretch){.kind = ROPE_LINEAR, .factor = 2.5};
    return c;
}

static const char *name_of(size_t i)
{
    static const char *const extra[] = {"tied", "llama3", "linear"};

    if (i < arch_count())
        return arch_get(i)->model_type;
    return i < arch_count() + 3 ? extra[i - arch_count()] : NULL;
}

struct work {
    const struct model *m;
    float token[S * T];
    size_t N;
    float *logits; // [N,V], a language model
    float score[S];
};

/* Logits or scores of S sequences of 57, 48, 39, ... tokens. */
static enum status compute(void *ctx, size_t item, size_t worker,
                           struct err *err)
{
    struct work *w = ctx;
    struct arena arena = {0};
    int32_t token[S * T];
    int32_t position[S * T];
    size_t start[S + 1] = {0};
    size_t last[S];
    struct activations a;
    size_t N = 0;
    enum status status = OK;

    (void)item;
    (void)worker;
    for (size_t s = 0; s < S; s++) {
        size_t len = T - 9 * s;

        for (size_t t = 0; t < T; t++) {
            size_t k = s * T + t;
            int32_t id = (int32_t)(2 + (k * k * 31 + 7 * k) % 411);

            if (t + 1 == len)
                id = EOS;
            w->token[k] = t < len ? (float)id : -1.0f;
            if (t >= len)
                continue;
            token[N] = id;
            position[N++] = (int32_t)t;
        }
        start[s + 1] = N;
        last[s] = N - 1;
    }
    struct pack pack = {.token = token,
                        .position = position,
                        .start = start,
                        .n_seq = S,
                        .N = N};
    w->N = N;
    TRY_DONE(activations_place(&a, w->m, N, false, &arena, err));
    TRY_DONE(transformer_forward(&a, w->m, &pack, &arena, err));
    if (w->m->config.head == HEAD_LM) {
        struct lmhead head = model_lmhead(w->m, 1);

        TRY_DONE(lmhead_logits(w->logits, &head, a.hidden, N, NULL, err));
    } else {
        head_score_forward(w->score, w->m, a.hidden, last, S);
    }
done:
    arena_free(&arena);
    return status;
}

/* Every tensor matters, biases and norms too. */
static void fill(struct model *m)
{
    params_init(m->params, &m->config, 17);
    for (size_t i = 0; i < params_tensors(&m->config); i++) {
        struct param_view view = params_view(&m->config, i);

        if (view.is_vector)
            for (size_t k = 0; k < view.cols; k++)
                m->params[view.offset + k] += 0.1f * (float)(k % 7) - 0.3f;
    }
}

static enum status write_peer(const char *dir, const char *name,
                              const struct model_config *c, struct err *err)
{
    static struct work w;
    bool is_lm = c->head == HEAD_LM;
    struct checkpoint out = {0};
    struct team *team = NULL;
    struct model m = {0};
    char path[FILE_PATH_MAX];
    char file[64];
    enum status status;

    TRY_DONE(model_create(&m, c, err));
    fill(&m);
    if (is_lm)
        TRY_DONE(MEM_NEW(m.banned, c->V, err));
    if (is_lm)
        m.banned[0] = m.banned[5] = 1;
    w.m = &m;
    out.model = &m;
    TRY_DONE(MEM_NEW(w.logits, S * T * c->V, err));
    TRY_DONE(team_create(&team, 1, err));
    TRY_DONE(team_run(team, 1, compute, &w, err));
    TRY_DONE(file_join(path, dir, name, err));
    TRY_DONE(checkpoint_write(path, &out, err));
    (void)snprintf(file, sizeof file, "%s.safetensors", name);
    TRY_DONE(file_join(path, dir, file, err));
    struct tensor_out tensor[] = {
        {.name = "tokens", .n_dim = 2, .dim = {S, T}, .data = w.token},
        {.name = is_lm ? "logits" : "scores",
         .n_dim = is_lm ? 2 : 1,
         .dim = {is_lm ? w.N : S, is_lm ? c->V : 0},
         .data = is_lm ? w.logits : w.score},
    };
    TRY_DONE(safetensors_write(path, tensor, 2, err));
done:
    if (team != NULL)
        team_destroy(team);
    mem_free(w.logits);
    model_free(&m);
    return status;
}

int main(int argc, char **argv)
{
    struct err err = {0};

    if (argc != 2) {
        (void)fprintf(stderr, "usage: peer_checkpoint DIR\n");
        return 2;
    }
    for (size_t i = 0; name_of(i) != NULL; i++) {
        const struct model_config policy = shape(i, HEAD_LM);
        const struct model_config reward = shape(i, HEAD_SCORE);
        char name[64];

        (void)snprintf(name, sizeof name, "%s_policy", name_of(i));
        enum status status = write_peer(argv[1], name, &policy, &err);
        (void)snprintf(name, sizeof name, "%s_reward", name_of(i));
        if (status == OK)
            status = write_peer(argv[1], name, &reward, &err);
        if (status != OK) {
            (void)fprintf(stderr, "peer_checkpoint: %s: %s\n", name, err.text);
            return 1;
        }
    }
    return 0;
}
