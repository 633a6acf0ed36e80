/*
 * bench_step.c - a training step of GPT-2's smallest shape: 124 million random
 * parameters, 4 sequences of 64 tokens, forward, backward and AdamW with
 * clipping, as `plumb sft` does it.
 *
 *     bench_step [f32|bf16|auto [THREADS [STEPS]]]
 *
 * Prints the formats, the median of the seconds of a step and the parts it
 * consists of: the passes and the update.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "gemm_clock.h"
#include "measure.h"
#include "model/model.h"
#include "nn/gemm16.h"
#include "rlhf/batch.h"
#include "rlhf/optimizer.h"

#define SEQUENCES 4
#define TOKENS 64
#define SHARDS 2
#define STEPS_MAX 64

static const struct model_config shape = {.V = 50257,
                                          .C = 768,
                                          .L = 12,
                                          .H = 12,
                                          .G = 12,
                                          .D = 64,
                                          .F = 3072,
                                          .T_max = 1024,
                                          .rope_theta = 10000,
                                          .norm_eps = 1e-5,
                                          .tied = true,
                                          .head = HEAD_LM,
                                          .bos = -1,
                                          .eos = -1,
                                          .pad = -1};

struct step {
    struct model model;
    struct optimizer optimizer;
    struct workspace workspace;
    int32_t token[SEQUENCES][TOKENS + 1];
};

static void mean_loss(void *ctx, size_t first, size_t n)
{
    float *dlogp = ctx;

    for (size_t i = first; i < first + n; i++)
        dlogp[i] = -1.0f / (SEQUENCES * TOKENS);
}

/* Mean cross-entropy of all tokens, and its gradient, of one shard. */
static enum status run_shard(void *ctx, size_t shard, size_t worker,
                             struct err *err)
{
    struct step *s = ctx;
    const struct model *m = &s->model;
    struct arena *arena = workspace_arena(&s->workspace, worker);
    struct lmhead head = model_lmhead(m, 1);
    size_t C = m->config.C, first, last, N;
    struct sequence *seq;
    struct activations a;
    struct batch b;
    float *logp, *dlogp, *dhidden, *scratch;
    int32_t *target;
    float *grad;

    batch_shard(&first, &last, SEQUENCES, SHARDS, shard);
    N = (last - first) * TOKENS;
    TRY(ARENA_NEW(arena, seq, last - first, err));
    TRY(ARENA_NEW(arena, target, N, err));
    for (size_t i = first; i < last; i++) {
        seq[i - first] = (struct sequence){.prompt = s->token[i],
                                           .len_prompt = 1,
                                           .response = s->token[i] + 1,
                                           .len_response = TOKENS - 1};
        memcpy(target + (i - first) * TOKENS, s->token[i] + 1,
               TOKENS * sizeof *target);
    }
    TRY(batch_pack(&b, seq, last - first, arena, err));
    TRY(activations_place(&a, m, N, true, arena, err));
    TRY(transformer_forward(&a, m, &b.pack, arena, err));
    TRY(ARENA_NEW(arena, logp, N, err));
    TRY(ARENA_NEW(arena, dlogp, N, err));
    TRY(ARENA_NEW(arena, dhidden, N * C, err));
    TRY(ARENA_NEW(arena, scratch, lmhead_scratch(head.V, head.C), err));
    memset(dhidden, 0, N * C * sizeof *dhidden);
    struct lmhead_training training = {
        .logp = logp, .dlogp = dlogp, .loss = mean_loss, .ctx = dlogp};
    TRY(optimizer_grad(&grad, &s->optimizer, shard, err));
    TRY(lmhead_train(dhidden, model_lmhead_grad(m, grad), &head, a.hidden,
                     target, N, &training, scratch, err));
    return optimizer_backward(&s->optimizer, shard, &a, m, &b.pack, dhidden,
                              arena, err);
}

static void make(struct step *s, bool is_rounded, size_t workers, size_t steps)
{
    const struct optimizer_config adam = {.lr = 1e-4,
                                          .beta1 = 0.9,
                                          .beta2 = 0.999,
                                          .eps = 1e-8,
                                          .weight_decay = 0.01,
                                          .clip = 1};
    struct model_config c = shape;
    struct err err;
    uint32_t x = 1;

    c.arch = arch_find("gpt2");
    measure_must(model_create(&s->model, &c, &err), &err);
    params_init(s->model.params, &c, 1);
    if (is_rounded)
        measure_must(model_round(&s->model, &err), &err);
    measure_must(optimizer_create(&s->optimizer, &s->model, &adam,
                                  (int64_t)steps, SHARDS, NULL, NULL, &err),
                 &err);
    measure_must(workspace_create(&s->workspace, workers, &err), &err);
    for (size_t i = 0; i < SEQUENCES; i++)
        for (size_t t = 0; t <= TOKENS; t++) {
            x = x * 1664525u + 1013904223u;
            s->token[i][t] = (int32_t)((x >> 8) % shape.V);
        }
}

int main(int argc, char **argv)
{
    const char *formats = argc > 1 ? argv[1] : "f32";
    size_t workers = argc > 2 ? strtoul(argv[2], NULL, 10) : team_processors();
    size_t steps = argc > 3 ? strtoul(argv[3], NULL, 10) : 5;
    static struct step s;
    double total[STEPS_MAX], passes[STEPS_MAX], products = 0;
    struct context context = {.team = NULL};
    struct err err;

    if ((strcmp(formats, "f32") != 0 && strcmp(formats, "bf16") != 0 &&
         strcmp(formats, "auto") != 0) ||
        workers < 1 || steps < 1 || steps > STEPS_MAX) {
        (void)fprintf(stderr, "bench_step [f32|bf16|auto [THREADS [STEPS]]]\n");
        return 2;
    }
    bool is_rounded = strcmp(formats, "bf16") == 0 ||
                      (strcmp(formats, "auto") == 0 && gemm16_pays());
    make(&s, is_rounded, workers, steps + 1);
    measure_must(team_create(&context.team, workers, &err), &err);
    for (size_t i = 0; i <= steps; i++) {
        double begin = measure_seconds(), between;
        struct optimizer_report report;

        (void)gemm_clock_take();
        measure_must(team_run(context.team, SHARDS, run_shard, &s, &err), &err);
        between = measure_seconds();
        products += i == 0 ? 0 : gemm_clock_take();
        measure_must(
            optimizer_step(&report, &s.optimizer, &s.model, &context, &err),
            &err);
        if (i > 0) {
            total[i - 1] = measure_seconds() - begin;
            passes[i - 1] = between - begin;
        }
    }
    (void)printf("formats %s\n", is_rounded ? "bf16" : "f32");
    (void)printf("passes %.6f\n", measure_median(passes, steps));
    (void)printf("products %.6f\n", products / (double)steps);
    (void)printf("seconds %.6f\n", measure_median(total, steps));
    return 0;
}
