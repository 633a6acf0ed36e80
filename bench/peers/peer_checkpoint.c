/*
 * peer_checkpoint.c - writes two policies and a reward model as checkpoints,
 * with what we compute from them, for check_checkpoint.py to repeat with
 * transformers.
 *
 *     peer_checkpoint DIR
 *
 *     DIR/policy/  DIR/tied/  DIR/reward/   checkpoints
 *     DIR/policy.safetensors  (tied too)   tokens [S,T], logits [S*T,V]
 *     DIR/reward.safetensors                tokens [S,T], scores [S]
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
#define N ((size_t)S * T)

static struct model_config shape(enum model_head head, bool tied)
{
    return (struct model_config){
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
        .tied = tied,
        .head = head,
        .bos = -1,
        .eos = 1,
        .pad = 0,
    };
}

struct work {
    const struct model *m;
    float token[N];
    float *logits; // [N,V], a language model
    float score[S];
};

/* Logits or scores of S sequences without padding tokens. */
static enum status compute(void *ctx, size_t item, size_t worker,
                           struct err *err)
{
    struct work *w = ctx;
    struct arena arena = {0};
    int32_t token[N];
    int32_t position[N];
    size_t start[S + 1];
    size_t last[S];
    struct pack pack = {token, position, start, S, N, NULL};
    struct activations a;
    enum status status;

    (void)item;
    (void)worker;
    for (size_t n = 0; n < N; n++) {
        token[n] = (int32_t)(2 + (n * n * 31 + 7 * n) % 411);
        w->token[n] = (float)token[n];
        position[n] = (int32_t)(n % T);
    }
    for (size_t s = 0; s <= S; s++)
        start[s] = s * T;
    for (size_t s = 0; s < S; s++)
        last[s] = start[s + 1] - 1;
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
    params_init(m.params, c, 17);
    if (is_lm)
        TRY_DONE(MEM_NEW(m.banned, c->V, err));
    if (is_lm)
        m.banned[0] = m.banned[5] = 1;
    w.m = &m;
    out.model = &m;
    TRY_DONE(MEM_NEW(w.logits, N * c->V, err));
    TRY_DONE(team_create(&team, 1, err));
    TRY_DONE(team_run(team, 1, compute, &w, err));
    TRY_DONE(file_join(path, dir, name, err));
    TRY_DONE(checkpoint_write(path, &out, err));
    (void)snprintf(file, sizeof file, "%s.safetensors", name);
    TRY_DONE(file_join(path, dir, file, err));
    struct tensor_out tensor[] = {
        {"tokens", 2, {S, T}, w.token},
        {is_lm ? "logits" : "scores",
         is_lm ? 2 : 1,
         {is_lm ? N : S, c->V},
         is_lm ? w.logits : w.score},
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
    const struct model_config policy = shape(HEAD_LM, false);
    const struct model_config tied = shape(HEAD_LM, true);
    const struct model_config reward = shape(HEAD_SCORE, false);
    struct err err = {0};

    if (argc != 2) {
        (void)fprintf(stderr, "usage: peer_checkpoint DIR\n");
        return 2;
    }
    if (write_peer(argv[1], "policy", &policy, &err) != OK ||
        write_peer(argv[1], "tied", &tied, &err) != OK ||
        write_peer(argv[1], "reward", &reward, &err) != OK) {
        (void)fprintf(stderr, "peer_checkpoint: %s\n", err.text);
        return 1;
    }
    return 0;
}
